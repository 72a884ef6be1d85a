"""The rows of the comparison of methods: which there are, and in what each differs from the row it is compared with."""

from unmirage.testbed.methods_settings import LORA_FASTER, MethodsSettings, all_rows
from unmirage.testbed.settings import ARMS


def test_every_arm_is_a_row_with_its_settings():
    rows = all_rows()
    assert {name: rows[name].config for name in ARMS} == ARMS
    general = {name for name, row in rows.items() if row.general}
    assert {name for name in ARMS if name in general} == {"npo-mixed", "rmu-mixed"}
    assert {rows[name].data for name in ("npo", "npo-mixed", "rmu", "rmu-mixed")} == {"forget"}
    assert all(rows[name].data == name for name in ARMS if name.startswith("sft-"))


def test_every_unlearning_row_but_three_retains_general_data():
    rows = {name: row for name, row in all_rows().items() if row.config and row.config.method.name != "sft"}
    assert {name for name, row in rows.items() if not row.general} == {"npo", "rmu", "dpo-pairs"}


def test_every_method_is_there_full_and_with_adapters_at_one_rule():
    rows = all_rows()
    full = [name for name in rows if f"{name}-lora-4" in rows]
    assert len(full) == 17
    assert len(rows) == 1 + 3 * 17 + 2 + 3 + 2 + 2 + 2
    for name in full:
        for rank in (4, 16):
            adapted = rows[f"{name}-lora-{rank}"]
            assert (adapted.config.lora.rank, adapted.config.lora.alpha) == (rank, 2 * rank)
            assert adapted.config.learning_rate == LORA_FASTER * rows[name].config.learning_rate
            back = {"lora": None, "learning_rate": rows[name].config.learning_rate}
            assert adapted.config.model_copy(update=back) == rows[name].config
            assert adapted.data == rows[name].data


def test_post_hoc_sft_is_held_back_in_one_setting_at_a_time():
    rows = all_rows()
    plain = rows["sft-posthoc"].config.model_dump()
    for name, setting, value in (
        ("decay", "weight_decay", 0.1),
        ("slow", "learning_rate", plain["learning_rate"] / 3),
        ("short", "steps", plain["steps"] // 3),
    ):
        row = rows[f"sft-posthoc-{name}"]
        assert row.data == "sft-posthoc"
        assert row.config.model_dump() == plain | {setting: value}


def test_unlearning_shares_steps_and_batch_and_starts_from_the_base_or_from_sft():
    rows = {name: row for name, row in all_rows().items() if row.config and row.config.method.name != "sft"}
    npo = ARMS["npo"]
    assert {(row.config.steps, row.config.batch_size) for row in rows.values()} == {(npo.steps, npo.batch_size)}
    assert {name for name, row in rows.items() if row.data != "forget"} == {"dpo-pairs", "dpo-pairs-mixed"}
    on_top = {name: row.start for name, row in rows.items() if row.start != "base"}
    assert on_top == {"npo-on-sft-posthoc": "sft-posthoc", "rmu-on-sft-posthoc": "sft-posthoc"}
    assert rows["npo-on-sft-posthoc"].config == rows["npo-mixed"].config


def test_another_signal_changes_nothing_else():
    settings = MethodsSettings()
    assert settings.with_signal(0.0) == settings
    changed = settings.with_signal(0.75)
    assert changed.study.world.signal == 0.75
    assert changed.with_signal(0.0) == settings


def test_settings_survive_their_own_json():
    settings = MethodsSettings()
    assert MethodsSettings.model_validate_json(settings.model_dump_json()) == settings

"""Examples at the end of the help of each command; a test reads them with the command's own parser."""

from __future__ import annotations

EXAMPLES = {
    "demo": ("unmirage demo", "unmirage demo --arms all --seeds 3 -o demo-all"),
    "audit": (
        "unmirage audit vlguard/train.json",
        "unmirage audit train.jsonl --columns query=prompt,answer=output",
        "unmirage audit train.jsonl --write-balanced balanced.jsonl",
        "unmirage audit train.jsonl --fail-if informedness=0.3",
    ),
    "attack": (
        "unmirage attack llava-hf/llava-1.5-7b-hf vlguard/test.json -o run",
        "unmirage attack ./model test.jsonl -n 200 -w jailbreak=what -o run",
        "unmirage attack endpoint:http://127.0.0.1:8000/v1#my-model test.jsonl",
        "unmirage attack ./model test.jsonl --dry-run",
    ),
    "search": (
        "unmirage search ./model validation.jsonl -o search.json",
        "unmirage search ./model validation.jsonl --kind jailbreak --top 5",
    ),
    "explain": ("unmirage explain ./model test.jsonl -n 50 -o explain.json",),
    "convert": ("unmirage convert llava-v1.5-7b llava-hf --vision-tower clip-vit",),
    "graft": ("unmirage graft smollm2-135m -o smolvlm-tiny",),
    "prepare": ("unmirage prepare vlguard/train.json --answers-from ./model --judge phrases -o sets",),
    "align": (
        "unmirage align ./model --method npo --forget forget.jsonl --retain retain.jsonl -o npo",
        "unmirage align ./model --method sft --retain safety.jsonl --lora 16 -o sft",
        "unmirage align ./model --method dpo --pairs pairs.jsonl -s method.loss=ipo -o dpo",
        "unmirage align ./model -c npo-lora-7b --forget forget.jsonl --retain retain.jsonl --dry-run",
    ),
    "stress": ("unmirage stress ./npo run --relearn 0,8,32 --samples relearn.jsonl",),
    "evaluate": (
        "unmirage evaluate run",
        "unmirage evaluate run --judge phrases --judge local:./judge-model",
        "unmirage evaluate run --fail-if 'asr.after>0.15'",
        "unmirage evaluate ./model --suite xstest --data xstest.csv",
    ),
    "judge": ("unmirage judge responses.jsonl --judge phrases -j",),
    "calibrate": ("unmirage calibrate phrases labeled.jsonl -o calibration.json",),
    "report": ("unmirage report run", "unmirage report run other-run --redact -o report.html"),
    "view": ("unmirage view run", "unmirage view run other-run --port 9000"),
    "export": ("unmirage export run --to logs",),
    "card": ("unmirage card run --model npo", "unmirage card audit.json", "unmirage card run --into npo/README.md"),
    "recipes show": ("unmirage recipes show npo-lora-7b",),
    "recipes copy": ("unmirage recipes copy npo-lora-7b -o my-recipes",),
    "schema": ("unmirage schema", "unmirage schema results"),
    "doctor": ("unmirage doctor", "unmirage doctor -j"),
    "study methods": ("unmirage study methods --only base,sft-posthoc,npo-mixed --seeds 1 -o methods",),
    "study settings": ("unmirage study settings -o settings",),
    "study relearn": ("unmirage study relearn -o relearn",),
    "study pretrained": (
        "unmirage study pretrained --base smollm2-135m -o study",
        "unmirage study pretrained --base ./model --data train.json --test test.json -o study",
    ),
    "study unlearning": (
        "unmirage study unlearning --model ./model --encoder MiniLM --forget f.jsonl --retain r.jsonl "
        "--validation v.jsonl -o settings",
    ),
}

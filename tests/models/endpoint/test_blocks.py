"""Content filters of servers: what is a block, and that blocks are responses, not failures."""

import json

import pytest

from unmirage.models.endpoint import Chat, ChatFailure, parse_endpoint, user_message
from unmirage.models.endpoint.rejections import is_block, message_of
from unmirage.records import Ended

HI = [user_message("hi")]
AZURE = {
    "error": {
        "message": "The response was filtered due to the prompt triggering the content management policy.",
        "param": "prompt",
        "code": "content_filter",
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}},
    }
}
BLOCKS = {
    "azure": (400, AZURE),
    "azure's inner error": (400, {"error": {"message": "no", "innererror": AZURE["error"]["innererror"]}}),
    "azure's words": (400, {"error": {"message": AZURE["error"]["message"], "code": "400"}}),
    "openai": (400, {"error": {"message": "no", "code": "content_policy_violation"}}),
    "openai's moderation": (400, {"error": {"message": "no", "code": "moderation_blocked"}}),
    "a reasoning model": (
        400,
        {
            "error": {
                "message": "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
                "code": "invalid_prompt",
            }
        },
    ),
    "openrouter": (
        403,
        {"error": {"code": 403, "message": "no", "metadata": {"reasons": ["x"], "flagged_input": "a"}}},
    ),
    "openrouter's provider": (
        400,
        {"error": {"code": 400, "message": "Provider returned error", "metadata": {"raw": json.dumps(AZURE)}}},
    ),
    "litellm": (400, {"error": {"message": "litellm.ContentPolicyViolationError: AzureException - no", "code": "400"}}),
    "gemini": (200, {"candidates": [], "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
    "gemini with choices": (200, {"choices": None, "promptFeedback": {"blockReason": "SAFETY"}}),
    "anthropic": (400, {"error": {"message": "Output blocked by content filtering policy"}}),
    "bedrock": (400, {"error": {"message": "{'error': 'Violated guardrail policy'}", "code": "400"}}),
    "alibaba": (400, {"error": {"code": "data_inspection_failed", "message": "Input data may contain ..."}}),
    "deepseek": (400, {"error": {"message": "Content Exists Risk", "code": "invalid_request_error"}}),
    "moonshot": (400, {"error": {"type": "content_filter", "message": "no"}}),
    "zhipu": (400, {"error": {"code": "1301", "message": "no"}, "contentFilter": [{"level": 1, "role": "user"}]}),
    "volcano": (400, {"error": {"code": "InputTextSensitiveContentDetected", "message": "no"}}),
    "minimax": (200, {"choices": None, "input_sensitive": True, "base_resp": {"status_code": 1026}}),
    "xai": (403, {"code": "no permission", "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK"}),
    "cloudflare": (400, {"error": [{"code": 2016, "message": "Prompt blocked due to security configurations"}]}),
    "portkey": (446, {"error": {"type": "hooks_failed", "message": "no"}}),
    "with status 200": (200, AZURE),
    "in a list": (400, [AZURE]),
}
OTHERS = {
    "too long": (400, "This model's maximum context length is 4096 tokens; your messages have 9000."),
    "a picture": (400, "Invalid image data: the image is not a valid PNG"),
    "too small a picture": (400, "height:1 must be larger than factor:28"),
    "no such model": (404, "The model `content-filter-7b` does not exist"),
    "a parameter": (400, "Unsupported parameter: 'content_filter' is not supported with this model."),
    "a page": (403, "Request blocked by Cloudflare"),
    "a wrong key": (401, "Your prompt was flagged as potentially violating our usage policy"),
    "no such account": (403, "You have no access to model m"),
}


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_block_is_recognized(kind):
    status, document = BLOCKS[kind]
    assert is_block(document, None if status == 200 else status)


@pytest.mark.parametrize("kind", OTHERS)
def test_another_error_is_no_block(kind):
    status, message = OTHERS[kind]
    assert not is_block({"error": {"message": message, "code": "invalid_request_error", "param": None}}, status)


def test_what_the_error_repeats_of_the_request_is_no_block():
    echo = {"type": "missing", "loc": ["body", "x"], "msg": "Field required", "input": {"code": "content_filter"}}
    assert not is_block({"detail": [echo]}, 422)
    assert not is_block({"error": {"message": f"Failed to parse messages: {'x' * 600} content management policy"}}, 400)
    assert message_of({"detail": [echo]}) == "body.x: Field required"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"error": {"message": "a"}}, "a"),
        ({"error": "a"}, "a"),
        ([{"error": {"message": "a"}}], "a"),
        ({"message": "a", "error": "b"}, "a"),
        ({"detail": "a"}, "a"),
        ({"error": {"message": "a", "metadata": {"raw": '{"error": {"message": "b"}}'}}}, "a: b"),
        ({"error": {"message": "a", "metadata": {"raw": "b"}}}, "a: b"),
        ({"error": {"code": 3}}, ""),
        ("a", "a"),
        (None, ""),
        (3, ""),
    ],
)
def test_the_message_of_an_error(document, message):
    assert message_of(document) == message


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_block_is_a_response_without_text_and_costs_one_request(stub, fast, kind):
    status, document = BLOCKS[kind]
    stub.reply = lambda number, body: (status, {}, json.dumps(document))
    chat = Chat(parse_endpoint(f"endpoint:{stub.url}#m"), fast(give_up_after=2))
    for _ in range(4):
        found = chat.complete(HI, 9)
        assert (found.text, found.ended, found.is_blocked, found.is_nothing) == ("", Ended.CONTENT_FILTER, True, False)
    counts = chat.accounting.to_json()
    assert (counts["requests"], counts["failures"], counts["blocked"], counts["uncounted"]) == (4, 0, 4, 0)
    assert "the server blocked 4 responses" in chat.accounting.summary()


def test_a_block_shows_that_the_server_works(stub, fast, fails):
    def reply(number, body):
        return fails(400, "too long") if number % 3 else (400, {}, json.dumps(AZURE))

    stub.reply = reply
    chat = Chat(parse_endpoint(f"endpoint:{stub.url}#m"), fast(give_up_after=2))
    chat.complete(HI, 9)
    for _ in range(6):
        for _ in range(2):
            with pytest.raises(ChatFailure, match="too long"):
                chat.complete(HI, 9)
        assert chat.complete(HI, 9).is_blocked
    assert chat.accounting.failures == 12


def test_a_block_ends_a_row_of_failures(stub, fast, fails, answers):
    replies = [answers("Yes."), fails(500), (400, {}, json.dumps(AZURE)), fails(500), answers("Yes.")]
    stub.reply = lambda number, body: replies[number]
    chat = Chat(parse_endpoint(f"endpoint:{stub.url}#m"), fast(give_up_after=2, retries=0))
    chat.complete(HI, 9)
    for _ in range(2):
        with pytest.raises(ChatFailure, match="HTTP 500"):
            chat.complete(HI, 9)
        chat.complete(HI, 9)

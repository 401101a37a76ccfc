import json
from importlib.resources import files

import pytest

from geminate.wire.outcomes import BLOCK_REASONS, FINISH_OUTCOMES, FINISH_REASONS, FINISHED, RETRYABLE, Outcome

DISCOVERY = json.loads(files("googleapiclient").joinpath("discovery_cache/documents/aiplatform.v1.json").read_bytes())


def enum(schema, member):
    return DISCOVERY["schemas"][f"GoogleCloudAiplatformV1{schema}"]["properties"][member]["enum"]


def test_numbers_follow_the_service_s_own_order():
    assert tuple(enum("Candidate", "finishReason")[: len(FINISH_REASONS)]) == FINISH_REASONS
    assert tuple(enum("GenerateContentResponsePromptFeedback", "blockReason")) == BLOCK_REASONS


def test_the_tables_name_only_reasons_that_the_service_has():
    assert set(enum("Candidate", "finishReason")) >= {*FINISH_OUTCOMES, *(FINISHED - {None})}


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.FAILED])
def test_every_outcome_but_failed_says_whether_to_try_again(outcome):
    assert isinstance(RETRYABLE[outcome], bool)

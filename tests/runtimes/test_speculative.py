"""A draft changes how many passes an answer takes, and never the answer."""

from __future__ import annotations

from workshop_helpers.runtimes.speculative import AHEAD, speculate

QUESTIONS = ["How much is shipping?", "Until when can I return a shirt?"]


def test_answers_are_the_same_and_a_good_draft_saves_passes(mame):
    drafts = {"alone": None, "itself": mame, "prompt": "prompt"}
    alone, itself, prompt = speculate(mame, drafts, QUESTIONS, max_new_tokens=24)
    assert alone.answers == itself.answers == prompt.answers
    assert alone.passes == alone.tokens, "one pass a token"
    # It never guesses wrong; each pass gives what was guessed and one more.
    assert itself.passes <= alone.passes / AHEAD + 2 * len(QUESTIONS)
    assert prompt.passes <= alone.passes

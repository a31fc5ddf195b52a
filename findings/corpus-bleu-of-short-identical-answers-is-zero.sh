#!/usr/bin/env bash
# One would guess: BLEU of answers that equal their references is 100, however short they are.
# What happens: corpus_bleu counts 4-grams. Where no answer has four tokens there are none, and the
#   score is 0.0; sentence_bleu of the same answer is 100. A Japanese sentence of any length is one
#   token or a few for the default tokenizer, so Japanese corpora get 0 as well.
# Who is hurt: whoever scores a model on short answers (prices, periods, labels) or on Japanese
#   without tokenize="ja-mecab" or "char".
# Seen with: sacrebleu==2.6.0, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet sacrebleu==2.6.0
cd "$work"
venv/bin/python - <<'PY'
import sacrebleu

print("sacrebleu", sacrebleu.__version__)
english = ["In 14 days", "500 yen", "At nine"]
japanese = ["返品は14日以内に承ります。", "送料は全国一律で500円です。"]
found = {
    "corpus, three short answers": sacrebleu.corpus_bleu(english, [english]).score,
    "one of them as a sentence": sacrebleu.sentence_bleu(english[0], [english[0]]).score,
    "corpus, two Japanese sentences": sacrebleu.corpus_bleu(japanese, [japanese]).score,
    "the same with tokenize='char'": sacrebleu.corpus_bleu(
        japanese, [japanese], tokenize="char"
    ).score,
}
for name, score in found.items():
    print(f"{name}, each equal to its reference: BLEU {score:.1f}")
assert [round(score) for score in found.values()] == [0, 100, 0, 100], "the behaviour has changed"
PY

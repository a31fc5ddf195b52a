# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] lang="ja"
# # 14 評価する
#
# 学習が終わると、つい数字を1つ出して安心したくなります。ROUGEが上がった、パープレキシティが下がった、GPT-4が褒めてくれた。ところが、どのものさしにも癖があり、日本語では既定のままだと壊れているものさえあります。この章では、答えの分かっているお店の質問を使って、**ものさしのほうを測ります**。
#
# | | |
# | --- | --- |
# | 目標 | ROUGE、BLEU、パープレキシティ、LLM審査員、lm-evalがそれぞれ何を測り、どこで間違えるかを数字で言える |
# | 時間 | ひとりで30分 |
# | 使うもの | お店の評価用の質問90問と、100行で学習したアダプター（なければここで作ります） |
# | できるもの | 区間の付いた点数、だまされやすさの表、手元で動くlm-evalのタスク |

# %% [markdown] lang="en"
# # 14 Evaluation
#
# After a training one longs for a single reassuring figure. ROUGE went up, perplexity went down, GPT-4 liked it. But every yardstick has its quirks, and in Japanese some are plainly broken as they come. In this chapter we take questions whose right answers are known and **measure the yardsticks**.
#
# | | |
# | --- | --- |
# | Goal | Say in figures what ROUGE, BLEU, perplexity, an LLM judge and lm-eval measure, and where each goes wrong |
# | Minutes | 30 on your own |
# | Comes in | The shop's 90 held-out questions, and an adapter tuned on 100 rows (made here if it is not there) |
# | Goes out | Scores with their intervals, a table of who is fooled, a task for lm-eval that runs offline |

# %% [markdown] lang="ja"
# 変えられるのは、モデル、学習に使う行の数、言語の3つだけです。

# %% [markdown] lang="en"
# The model, the number of training rows and the language: there is nothing else to change.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 100
LANGUAGE = "ja"

# %% tags=["needed"]
from workshop_helpers import LoraRecipe, Shop, referenced, runs_folder, train

shop, runs = Shop(LANGUAGE), runs_folder(MODEL, LANGUAGE)
tuned = train(MODEL, shop.train[:ROWS], runs / f"tuned-{ROWS}", LoraRecipe.for_model(MODEL))
questions = referenced(shop.questions)

# %%
from workshop_helpers import compare

rivals = {"prompt": shop.prompted(MODEL), f"{ROWS}": tuned}
result = compare(rivals, shop.questions)

# %% [markdown] lang="ja"
# 比べるのは、全事実をプロンプトに書いたモデルと、学習したモデルです。どちらが上でしょうか。

# %% [markdown] lang="en"
# Two rivals: the model with all facts in its prompt, and the tuned one. Which is better?

# %% tags=["nbval-ignore-output", "timed"]
result

# %% [markdown] lang="ja"
# ## その差は本物か
#
# 質問が90問しかなければ、点数には運が混じります。どのくらい混じるかは、**ブートストラップ**で見積もれます。90問から重複を許して90問を引き直し、平均を出す。これを何千回も繰り返して、真ん中の95%が入る範囲を区間とします。
#
# ひとつ注意があります。90問は29の事実について3、4問ずつ尋ねたものです。1つの事実を覚えそこねると、その3問がまとめて外れます。だから質問ではなく**事実ごと**に引き直すのが正直です。

# %% [markdown] lang="en"
# ## Is the difference real?
#
# With only 90 questions, luck has a share in every score. The **bootstrap** tells how large: draw 90 questions out of the 90, with repeats, take the mean, do that thousands of times; the middle 95 % of the means is the interval.
#
# One warning. The 90 questions ask for 29 facts, three or four times each. Miss a fact, and all its questions fall together. So the honest way is to draw **by fact** and not by question.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import bootstrap

facts = [question.id.rpartition("-")[0] for question in shop.questions]
recalls = {row.label: [score.recall for score in row.scores] for row in result.rows}
for label, values in recalls.items():
    print(f"{label:7} by question: {bootstrap(values)}   by fact: {bootstrap(values, facts)}")

# %% tags=["nbval-ignore-output"]
from workshop_helpers import interval_plot

interval_plot({label: bootstrap(values, facts) for label, values in recalls.items()}, LANGUAGE)

# %% [markdown] lang="ja"
# 区間が重なっているからといって、差がないとは限りません。2人は**同じ質問**に答えたのですから、1問ごとの差を取ってから引き直せば、質問の難しさは打ち消し合います。これが対応のある（paired）比較です。

# %% [markdown] lang="en"
# Overlapping intervals do not mean that there is no difference. Both answered **the same questions**, so take the difference question by question and draw those: how hard a question is cancels out. That is the paired comparison.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import difference

one, other = recalls["prompt"], recalls[f"{ROWS}"]
paired = difference(one, other)
unpaired = difference(one, other, paired=False)
print(f"as if other questions had been asked: {unpaired}")
print(f"paired, question by question:         {paired}")
print(f"paired, drawn by fact:                {difference(one, other, facts)}")

# %% [markdown] lang="ja"
# 対応のある区間のほうが狭くなりました。区間に0が入っていれば「この90問では、どちらが上か決められない」が答えです。講演の表にある「効果○」のような印には、この区間がありません。
#
# ## ROUGEとBLEU：単語のない言語
#
# この教材の元になった長いガイドは、評価の道具としてROUGEを勧めています。模範解答と同じ語がどれだけ出てくるかを数えるものです。ではまず、ライブラリの既定のまま日本語を入れてみます。

# %% [markdown] lang="en"
# The paired interval is the narrower one. If it holds 0, the answer is "these 90 questions cannot tell which is better". Marks such as "effect ○" in the talk's table have no such interval.
#
# ## ROUGE and BLEU: a language without words
#
# The long guide that this course grew from recommends ROUGE, which counts how many words of a reference come back. So first let us feed Japanese to the library as it comes.

# %%
from workshop_helpers import bleu, rouge, words

returns, exchanges = "返品は14日以内", "交換は14日以内"
same = "定休日は水曜日です。"
print("opposite, same number, ROUGE-L:", rouge(returns, exchanges, default=True))
print("identical, no number,  ROUGE-L:", rouge(same, same, default=True))
print("identical, no number,  BLEU:   ", bleu([same], [same], default=True))
print(words(returns))
print(f"cut by janome: {rouge(returns, exchanges):.2f}, {rouge(same, same):.2f}")

# %% [markdown] lang="ja"
# `rouge_score` は、ASCIIの英数字しか語と認めません。だから「返品」と「交換」を取り違えた答えが満点になり、一字一句同じ答えが0点になります。sacrebleuの既定は空白で区切るので、1文が1語になり、4語の並びを数えるBLEUは0です。どちらも、`janome` で単語に切ってから渡せば直ります。ガイドのコードは既定のままなので、日本語では使えません。
#
# ## 直しても、だまされる
#
# 単語に切れば安心でしょうか。意地の悪い試験をします。学習したモデルが**正しく答えた**質問だけを選び、その答えと、模範解答の金額や日数だけを別の値に変えた**間違った答え**を並べます。間違った答えのほうに高い（または同じ）点を付けてしまう割合は、どれくらいでしょう。

# %% [markdown] lang="en"
# `rouge_score` takes nothing but ASCII letters and digits for words. So an answer that mixes up returns and exchanges gets full marks, and an identical one gets none. sacrebleu's default cuts at spaces: one sentence is one word, and BLEU, which counts runs of four, is 0. Cutting into words with `janome` first mends both. The guide's code leaves the defaults alone and cannot be used for Japanese.
#
# ## Mended, and fooled all the same
#
# Are words the answer? A mean test: take the questions that the tuned model **answers rightly**, and put its answer beside a **wrong one**, the reference with nothing but the amount changed. How often does a yardstick give the wrong answer as many points, or more?

# %% tags=["nbval-ignore-output"]
from workshop_helpers import chrf, figures_table, wrong_answers

row = result.rows[-1]
good = [i for i, s in enumerate(row.scores) if s.recall == 1 and wrong_answers(questions[i])]
cases = [
    (row.answers[i].text, wrong_answers(questions[i])[0], questions[i].reference) for i in good
]
meters = {"rouge-default": lambda *pair: rouge(*pair, default=True), "rouge": rouge, "chrf": chrf}
fooled = []
for name, meter in meters.items():
    points = [(meter(right, ref), meter(wrong, ref)) for right, wrong, ref in cases]
    right, wrong = (sum(column) / len(points) for column in zip(*points, strict=True))
    share = sum(w >= r for r, w in points) / len(points)
    fooled.append({"meter": name, "right": right, "wrong": wrong, "fooled_share": share})

# %% tags=["nbval-ignore-output"]
print(cases[0])
figures_table("14", fooled, LANGUAGE)

# %% [markdown] lang="ja"
# 単語に切ったROUGEもchrFも、**言い回しの近さ**を測っているだけで、正しさは見ていません。言い換えた正解より、1語だけ違う間違いを好みます。
#
# 皮肉なことに、日本語では既定のROUGEがいちばんだまされません。数字しか見えないので、たまたま「数字が合っているか」の採点になっているからです。上で見たとおり、その数字が何の数字かは分かっていません。
#
# 事実を問うなら、事実を採点する。この教材の採点（`workshop verify`）が、金額や日数を取り出して比べているのはこのためです。ROUGEやBLEUが役に立つのは、言い回しそのものが目標のとき（要約、翻訳、定型文）です。

# %% [markdown] lang="en"
# ROUGE over proper words and chrF both measure how **near the wording** is, and nothing else. They prefer a wrong answer with one word changed to a right one in other words.
#
# In Japanese, ironically, the default ROUGE is fooled least: numbers are all it sees, so it happens to check whether the numbers agree. As you saw above, it has no idea what they are numbers of.
#
# If facts are what you want, score facts. That is why the course's own scorer (`workshop verify`) picks out amounts and days and compares them. ROUGE and BLEU have their place where wording itself is the goal: summaries, translations, set phrases.

# %% [markdown] lang="ja"
# ## パープレキシティ：何を数に入れたか
#
# パープレキシティは、模範解答を読んだモデルがどれだけ驚いたかです。まず、質問を見せたあとの模範解答のトークンだけを数えます。

# %% [markdown] lang="en"
# ## Perplexity: what was counted?
#
# Perplexity says how surprised a model is by the right answer. First over the tokens of the reference answers alone, each read after its question.

# %% tags=["needed", "nbval-ignore-output"]
from workshop_helpers import reference_loss

losses = {"base": reference_loss(MODEL, questions)}
losses[f"{ROWS}"] = reference_loss(tuned.adapter, questions)
for label, loss in losses.items():
    print(
        f"{label:5} perplexity {loss.perplexity:6.2f}, bits/character {loss.bits_per_character:.2f}"
    )

# %% [markdown] lang="ja"
# ガイドの計算には落とし穴がありました。文の長さをそろえる詰め物（パディング）まで `labels` に入れていて、詰め物の予測も損失に混じります。平均した損失に、今度は詰め物を除いたトークン数を掛けるので、結果は**バッチの組み方**で変わります。同じやり方で測ってみます。

# %% [markdown] lang="en"
# The guide's computation has a trap. The filling that brings a batch to one length (padding) goes into `labels`, so predicting it becomes part of the loss; the mean is then multiplied by the tokens without the filling. The result depends on **how the batches were cut**. Let us measure the same way.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import choose_device, load_model, load_tokenizer

tokenizer, network = load_tokenizer(MODEL), load_model(MODEL, choose_device("cpu"))
texts = [question.reference for question in questions]

# %% tags=["nbval-ignore-output"]
import math

padded = {}
for size in (1, 4, 32):
    loss = tokens = 0
    for first in range(0, len(texts), size):
        batch = tokenizer(texts[first : first + size], return_tensors="pt", padding=True)
        count = int(batch["attention_mask"].sum())
        loss += count * network(**batch, labels=batch["input_ids"]).loss.item()
        tokens += count
    padded[size] = math.exp(loss / tokens)
print({size: round(value, 2) for size, value in padded.items()})

# %% [markdown] lang="ja"
# 同じモデルの同じ文章なのに、バッチの大きさだけで桁まで変わりました。`mame` は詰め物を一度も見たことがないので、差がとくに派手に出ます。詰め物を見慣れたモデルでは控えめですが、正しい値でないことは同じです。詰め物の場所のラベルを-100にすれば、損失から外れます。
#
# ### トークナイザーが違えば比べられない
#
# パープレキシティは「1トークンあたり」の値です。ところが1トークンの長さはモデルごとに違います。次の表は、`mame` とSmolLM2に同じ文を読ませた記録です。どちらも学習前です。

# %% [markdown] lang="en"
# One model, one text, and the size of a batch alone changes the figure by orders of magnitude. `mame` has never seen filling, so the effect is at its most garish here; a model that knows it moves less, and is just as wrong. Labels of -100 take the filling out of the loss.
#
# ### Not across tokenizers
#
# Perplexity is a figure for a token, and a token is as long as the model's tokenizer makes it. The next table is a record of `mame` and SmolLM2 reading the same sentences, both untuned.

# %%
from workshop_helpers import measured

measured("14_evaluation", "tokenizers", LANGUAGE)

# %% [markdown] lang="ja"
# 日本語の行を見てください。SmolLM2は1文字を何個ものトークンに刻むので、1トークンあたりの驚きは小さく出て、パープレキシティでは `mame` より良く見えます。1文字を書くのに必要なビット数（損失の合計÷文字数）で物差しをそろえると、**順位がひっくり返り**、差は2倍以上になります。トークナイザーの違うモデルの比較に使ってよいのは、右端の列だけです。
#
# ## LLMに審査してもらう
#
# ガイドは「人間の評価に最も近い」として、GPT-4に1回だけ5点満点で採点させています。近いかどうかは、審査員を試験してから決めることです。ここでは2つの答えを見せて、どちらが良いかを答えてもらい、**順番を入れ替えてもう一度**聞きます。言うことが変われば引き分けとします。
#
# 審査員は、OpenAI互換のサーバーなら何でもかまいません。llama.cppはその1つなので、外へつながずに手元で試せます。最初の審査員は `mame` です。

# %% [markdown] lang="en"
# Look at the Japanese lines. SmolLM2 cuts a character into several tokens, so its surprise for each of them comes out small, and by perplexity it looks better than `mame`. Bits for a character (the whole loss by the number of characters) put both on one scale, and **the order turns round**, by more than a factor of two. Between models with different tokenizers, only the last column may be compared.
#
# ## A language model as the judge
#
# The guide has GPT-4 give marks out of five, once, as "closest to human judgement". Whether it is close is for a test of the judge to say. Here the judge sees two answers and says which is better; then **it is asked again in the other order**. If it changes its mind, that is a tie.
#
# Any OpenAI-compatible server will do. llama.cpp is one, so we can try it without leaving this machine. The first judge is `mame`.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import ChatServer, LlamaCppRuntime, convert, judge

f16 = convert(MODEL, runs / "judge-F16.gguf")
asked = questions[:12]
right = [question.reference for question in asked]
wrong = [wrong_answers(question)[0] for question in asked]
with LlamaCppRuntime(f16.path) as runtime, ChatServer(runtime.url) as server:
    verdicts = judge(server, asked, right, wrong, ["first"] * len(asked), language=LANGUAGE)
print(verdicts.pairs[0].said)
figures_table("14", [verdicts.figures()], LANGUAGE)

# %% [markdown] lang="ja"
# `mame` はお店の応対しか知らないので、判定になっていません。読み取れない答えを黙って捨てると、こういう審査員でも立派な割合が出てしまいます。だから「読み取れた割合」も必ず報告します。
#
# では、指示に従うように学習された小さなモデル、SmolLM2ならどうでしょう。しかも、**正解を横に見せて**います。片方は正解そのもの、もう片方は金額や日数が違う答えです。

# %% [markdown] lang="en"
# `mame` knows nothing but how to serve customers; these are no verdicts. Drop unreadable answers silently, and even such a judge has a fine percentage. So the share that could be read is always reported.
#
# What about SmolLM2, a small model tuned to follow instructions? It even has **the right answer beside it**. One of the two answers is that very sentence, the other has another amount.

# %%
measured("14_evaluation", "judges", LANGUAGE)

# %% [markdown] lang="ja"
# 英語では返事の形は守れるのに、読み取れた判定は全部「先に見せたほう」でした。正解を先に見せて1回だけ聞けば優秀な審査員に見え、後に見せれば1問も当たりません。入れ替えて2回聞いて初めて、その実力が分かります。日本語では判定の形にすらなりません。
#
# もっと大きなモデルなら偏りは小さくなりますが、なくなるとは限りません（ここでは測定していません）。本物の審査員で測るときは、次の1行です。`OPENAI_API_KEY` は環境変数から読み、画面には出しません。
#
# `workshop evaluate mame runs/adapter --questions questions.jsonl --judge https://api.openai.com/v1 --judge-model MODEL`
#
# ## lm-evalで測る
#
# ガイドは `lm_eval` でHellaSwagやMMLUを測っています。古い書き方は今も動きますが（`run` が補われます）、0.4.13では `lm_eval[hf]` を入れないとtorchのモデルを読めず、対話型のモデルには `--apply_chat_template` が要り、課題のデータは毎回ネットワークから取ってきます。そして、MMLUが上がってもお店の送料は分かりません。
#
# 自分の課題はYAMLとJSONLの2つのファイルで作れます。4つの選択肢のうち、いちばん確率の高いものが正解なら1点。モデルには何も書かせません。

# %% [markdown] lang="en"
# In English it keeps to the form, and every verdict that could be read was "the one shown first". Show the right answer first and ask once: an excellent judge. Show it second, and it never finds it. Only asking in both orders tells. In Japanese it does not even produce verdicts.
#
# Larger models lean less, which is not to say that they do not lean at all (not measured here). With a real judge it is one line; the key is read from `OPENAI_API_KEY` and shown nowhere.
#
# `workshop evaluate mame runs/adapter --questions questions.jsonl --judge https://api.openai.com/v1 --judge-model MODEL`
#
# ## By lm-eval
#
# The guide runs HellaSwag or MMLU through `lm_eval`. Its old form still works (`run` is filled in), but 0.4.13 reads torch models only with `lm_eval[hf]` installed, a chat model wants `--apply_chat_template`, and the data of those tasks come over the network. Nor does a better MMLU know what shipping costs.
#
# A task of your own is two files, YAML and JSONL. If the likeliest of four choices is the right one, that is a point. The model writes nothing at all.

# %% tags=["nbval-ignore-output"]
import json

from workshop_helpers import run_task, write_task

task = write_task(questions, runs / "lm-eval")
first = (task.folder / "shop_facts.jsonl").read_text(encoding="utf-8").splitlines()[0]
print(json.loads(first))
chosen = {"base": run_task(task, MODEL), f"{ROWS}": run_task(task, tuned.adapter)}
rows = [{"model": label, "acc_share": f.acc, "stderr": f.acc_stderr} for label, f in chosen.items()]
figures_table("14", rows, LANGUAGE)

# %% [markdown] lang="ja"
# 学習前はまぐれ当たり（4つに1つ）の前後、学習後はほとんど満点です。自由に答えさせた再現率より高いことに注目してください。**選べることと、言えることは違います**。選択式の点数は、実際の応対の出来を高めに見積もります。
#
# 同じ課題はコマンドでも動きます。`--include_path` に課題のフォルダーを渡すだけです。学習したアダプターなら `--model_args` に `peft=` を足します。
#
# ## 何で測るか
#
# | ものさし | 分かること | 分からないこと |
# | --- | --- | --- |
# | 事実の採点 | 金額や日数が合っているか | 言い方の良し悪し |
# | ROUGE・BLEU・chrF | 模範解答に言い回しが近いか | 正しいかどうか |
# | パープレキシティ | 同じトークナイザーの前後の変化 | 別のトークナイザーとの優劣 |
# | LLM審査員 | 読みやすさ、丁寧さ（審査員が試験に通れば） | 審査員が知らない事実 |
# | lm-evalの選択式 | 正解をいちばん確からしいと思うか | 自分で言えるか |

# %% [markdown] lang="en"
# Untuned it is near guessing (one in four), tuned it is nearly perfect. Note that this is higher than the recall of free answers: **choosing is not saying**. Multiple choice flatters what customers will hear.
#
# The same task runs as a command: give its folder to `--include_path`, and for an adapter add `peft=` to `--model_args`.
#
# ## Which yardstick?
#
# | yardstick | it tells | it does not tell |
# | --- | --- | --- |
# | fact scorer | whether amounts and days are right | how well it is said |
# | ROUGE, BLEU, chrF | whether the wording is near a reference | whether it is true |
# | perplexity | before and after, with one tokenizer | which of two tokenizers' models is better |
# | LLM judge | ease and politeness, if the judge passes its test | facts that the judge does not know |
# | lm-eval, multiple choice | whether the right answer seems likeliest | whether it would be said |

# %% [markdown] lang="ja"
# ## 経験則
#
# - **事実は事実で採点し、必ず区間を付けます**。90問なら、上の図のとおり前後に数ポイントは動きます。前後の比較は、対応のある差の区間で。
# - ROUGEやBLEUを日本語に使うなら、まず単語に切ります。それでも正しさの代わりにはなりません（上の「だまされた割合」の表が根拠です）。
# - パープレキシティは、同じトークナイザーの中だけで比べます。またぐときはビット/文字です。
# - LLM審査員は、採用試験をしてから使います。順番を入れ替え、引き分けを認め、読み取れた割合と事実との一致を報告します。
#
# 限界もあります。ここの質問はどれも短い事実を問うもので、SmolLM2より大きな審査員は試していません。長い文章の良し悪しでは、順位が変わるかもしれません。

# %% [markdown] lang="en"
# ## Rule of thumb
#
# - **Score facts as facts, always with an interval.** With 90 questions a score moves by some points either way, as the plot shows. For before and after, take the interval of the paired difference.
# - For Japanese, cut into words before ROUGE or BLEU. Even then they do not stand for truth (the table of who was fooled is the ground for this).
# - Compare perplexity within one tokenizer. Across them, bits per character.
# - Examine a judge before you employ it: both orders, ties allowed, the readable share and the agreement with facts reported.
#
# The limits: all questions here ask for short facts, and no judge larger than SmolLM2 was tried. For the quality of long texts the order may be another one.

# %% [markdown] lang="ja"
# ## 演習
#
# `answer` に答えを入れて実行すると、下のセルが答え合わせをします。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer into `answer` and run it; the cell below checks it.

# %% tags=["needed"]
from workshop_helpers import Exercises

exercises = Exercises("14", LANGUAGE)
loss = losses["base"]

# %% [markdown] lang="ja" tags=["exercise"]
# **演習1：ビット/文字** `loss.nats`（損失の合計、自然対数）と `loss.characters`（文字数）から、ベースモデルのビット/文字を計算してください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 1: bits per character.** Work out the base model's bits per character from `loss.nats` (the whole loss, natural logarithm) and `loss.characters`.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution", "nbval-ignore-output"]
import math

answer = loss.nats / math.log(2) / loss.characters
answer

# %% tags=["check"]
pitfalls = {loss.nats / loss.characters: "bits-nats", loss.nats / loss.tokens: "bits-tokens"}
exercises.check("bits", answer, loss.bits_per_character, within=1e-6, pitfalls=pitfalls)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習2：いつもAと言う審査員** 何を見せても「A」としか答えない審査員がいます。20組を順番を入れ替えて2回ずつ聞くと、引き分けは何組になりますか。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 2: the judge that always says A.** A judge says "A" whatever it is shown. Of 20 pairs, each asked in both orders, how many are ties?

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = 20
answer

# %% tags=["check"]
exercises.check("always", answer, 20, pitfalls={0: "always-none", 10: "always-half"})

# %% [markdown] lang="ja" tags=["exercise"]
# **演習3：質問を4倍にすると** 区間の幅は、質問の数の平方根に反比例します。区間の幅を半分にするには、質問は90問の何倍要りますか。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 3: half the width.** The width of an interval falls with the square root of the number of questions. How many times the 90 questions do you need to halve it?

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = 4
answer

# %% tags=["check"]
exercises.check("width", answer, 4, pitfalls={2: "width-two"})

# %% [markdown] lang="ja"
# ## まとめ
#
# - 点数には区間を、前後の比較には対応のある区間を付けます。
# - 日本語のROUGEとBLEUは、既定のままでは意味を持ちません。切っても、測れるのは言い回しの近さです。
# - パープレキシティは詰め物とトークナイザーに注意。またぐならビット/文字です。
# - 審査員も試験します。順番を入れ替えれば、偏りは隠せません。

# %% [markdown] lang="en"
# ## In short
#
# - A score has an interval; before and after have a paired one.
# - ROUGE and BLEU mean nothing for Japanese as they come. Cut into words, they measure how near the wording is.
# - With perplexity, mind the filling and the tokenizer. Across tokenizers take bits per character.
# - Judges sit exams, too. Turn the order round, and a leaning cannot hide.

# %% tags=["closing"]
assert rouge(returns, exchanges, default=True) == 1 and rouge(same, same, default=True) == 0
assert bleu([same], [same], default=True) == 0 and rouge(same, same) == 1
assert paired.high - paired.low < unpaired.high - unpaired.low, "pairs cancel what is hard for both"
assert losses["base"].perplexity > losses[f"{ROWS}"].perplexity
assert max(padded.values()) / min(padded.values()) > 1.05, "the filling counts"
if MODEL == "mame":
    assert fooled[1]["fooled_share"] > 0.5 and fooled[2]["fooled_share"] > 0.5
    assert verdicts.readable < 0.5
    assert chosen["base"].acc < 0.5 < 0.9 < chosen[f"{ROWS}"].acc
    assert chosen[f"{ROWS}"].acc > sum(other) / len(other), "choosing is easier than saying"

# %% [markdown] lang="ja"
# 次の `15_rag_or_finetuning` では、ここで試したものさしを使って「プロンプト、検索、学習のどれを選ぶか」に答えます。

# %% [markdown] lang="en"
# Next, in `15_rag_or_finetuning`, these yardsticks answer whether to prompt, to retrieve or to tune.

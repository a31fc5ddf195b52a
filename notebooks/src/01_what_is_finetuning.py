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
# # 01 ファインチューニングとは何か
#
# 同じ質問を、同じモデルに、5通りのやり方で聞いてみます。何も渡さずに聞く、お店の決まりを全部渡す、例を見せる、関係のある決まりだけ探して渡す、そして学習させる。どれが何を読み、何を覚え、どこで間違えるのか。後半では、いちばんよく使われる学習法**LoRA**を20行足らずで自分の手で書きます。
#
# | | |
# |---|---|
# | 目標 | プロンプト、few-shot、検索、ファインチューニングの違いを、答えと読んだトークン数で言えるようになる |
# | 時間 | 発表では5分、ひとりで15分 |
# | 使うもの | 同梱のお店のデータとベースモデル |
# | できるもの | 学習したアダプター（次の章からも使います） |

# %% [markdown] lang="en"
# # 01 What is fine-tuning?
#
# One question, one model, five ways of asking: with nothing at all, with every rule of the shop, with examples, with only the rules that a search finds, and after training. What does each of them read, what does it remember, and where does it go wrong? In the second half you write **LoRA**, the training method that everybody uses, in fewer than twenty lines of your own.
#
# | | |
# |---|---|
# | Goal | Tell prompting, few-shot, retrieval and fine-tuning apart, by their answers and by the tokens they read |
# | Minutes | 5 in the talk, 15 on your own |
# | Comes in | the bundled shop's data and a base model |
# | Goes out | a trained adapter, which later chapters use, too |

# %% [markdown] lang="ja"
# ## パラメータ
#
# 変えるのはこのセルだけです。`MODEL` はモデルの名前かフォルダ、`ROWS` は学習に使う行数です。

# %% [markdown] lang="en"
# ## Parameters
#
# This is the one cell to change. `MODEL` is a model's name or folder, `ROWS` the number of rows to train on.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 100
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# 学習はここで済ませておきます。ほかの章ですでに作ったアダプターがあれば、それがそのまま使われます。

# %% [markdown] lang="en"
# Training is done first, so that it is out of the way. If another chapter has made this adapter already, it is simply picked up.

# %% tags=["needed"]
from workshop_helpers import LoraRecipe, Shop, runs_folder, train

shop = Shop(LANGUAGE)
runs = runs_folder(MODEL, LANGUAGE)
recipe = LoraRecipe.for_model(MODEL)
many = train(MODEL, shop.train[:ROWS], runs / f"tuned-{ROWS}", recipe)

# %% [markdown] lang="ja"
# ## 5通りの聞き方
#
# 5つの候補を並べます。重みが変わるのは最後の1つだけで、ほかの4つは**まったく同じモデル**です。違うのは、質問の前に何を読ませるかです。
#
# - `base`：質問だけ
# - `prompt`：お店の決まりを全部、システムプロンプトに書く
# - `few-shot`：質問と回答の例を6つ、先に見せる
# - `retrieval`：質問に合いそうな決まりを3つだけ探して、システムプロンプトに書く
# - 最後：学習したモデル。質問だけ

# %% [markdown] lang="en"
# ## Five ways of asking
#
# Here are the five candidates. Only the last one has other weights; the first four are **the very same model**. What differs is what it gets to read before the question.
#
# - `base`: the question and nothing else
# - `prompt`: all rules of the shop, in the system prompt
# - `few-shot`: six examples of question and answer, shown first
# - `retrieval`: the three rules that fit the question best, in the system prompt
# - last: the trained model, with the question and nothing else

# %% tags=["needed"]
from workshop_helpers import compare

candidates = {
    "base": MODEL,
    "prompt": shop.prompted(MODEL),
    "few-shot": shop.few_shot(MODEL, 6),
    "retrieval": shop.retrieved(MODEL, 3),
    str(ROWS): many,
}
questions = shop.questions[8::4]
result = compare(candidates, questions)

# %% [markdown] lang="ja"
# まず1問だけ。講演と同じ、返品の質問です。青い実線が正しく述べた事実、朱色の破線が間違った数字です。

# %% [markdown] lang="en"
# One question first: returns, as in the talk. A solid blue line marks a fact stated right, a dashed red one a wrong figure.

# %% tags=["nbval-ignore-output", "stage:five-ways"]
result.side_by_side([0])

# %% [markdown] lang="ja"
# ベースモデルは、`mame` なら丁寧ですが中身がありません。お店のことを何も知らないからです（大きなモデルなら、ありそうな数字を作ってしまうかもしれません）。決まりを渡せば答えられ、学習したモデルは何も渡さなくても答えます。例を見せただけのモデルはどうでしょう。

# %% [markdown] lang="en"
# The base model, if it is `mame`, is polite and says nothing, for it knows nothing of this shop. (A larger one may make up a likely figure.) Hand it the rules and it can answer; the trained model answers without being handed anything. And the one that was only shown examples?

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：同じモデルです。変えたのは、読ませるものだけ。最後の1つだけが、重みを変えたものです。
# - **指す**：ベースモデルの丁寧で中身のない答えと、学習したモデルの短く具体的な答え。
# - **遅れたら飛ばす**：検索の候補の説明。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: It is the same model. We only changed what it reads; the last one alone had its weights changed.
# - **Point at**: the base model's polite answer without content, and the tuned model's short one with a figure.
# - **If late, skip**: how the retrieval candidate works.

# %% [markdown] lang="ja"
# ## 1問の当たりは証拠にならない
#
# たまたま当たった1問で判断してはいけません。別の質問も足して採点します。

# %% [markdown] lang="en"
# ## One lucky answer is no proof
#
# Nobody should decide by a single question. Here are more of them, scored.

# %% tags=["nbval-ignore-output", "timed", "stage:five-counted"]
result

# %% [markdown] lang="ja"
# 列の読み方です。**事実の再現率**は答えるべき事実のうち正しく述べた割合、**事実と矛盾**は違う数字を答えた割合、**根拠のない数字**はどこにもない数字を作った割合です。
#
# few-shotの低さは失敗ではなく、few-shotとはそういうものだという結果です。例から移るのは**答え方**で、**事実**は例に書いてある分しか伝わりません。見せた例はこの6つです。

# %% [markdown] lang="en"
# How to read the columns: **facts stated** is the share of expected facts that were given correctly, **contradict a fact** the share of answers with another figure, **invent a figure** those with a figure from nowhere.
#
# That few-shot does badly is not an accident: it is what few-shot is. Examples pass on a **manner of answering**; **facts** they pass on only as far as they happen to contain them. These are the six that were shown.

# %% tags=["needed"]
examples = candidates["few-shot"].examples
for row in examples:
    print(f"Q: {row.question}\nA: {row.answer}")

# %% [markdown] lang="ja"
# 検索の候補はどうでしょう。1問目について、お店の決まりの中からどの3つを選んだのかを見ます。文字のつながりがどれだけ重なるかで順位をつける、BM25という昔ながらの検索です。

# %% [markdown] lang="en"
# And retrieval? Here are the three it picked for the first question, out of all the shop's rules. The search is old-fashioned BM25, which ranks by shared pieces of words.

# %%
print(questions[0].question, "\n")
for fact in shop.search(questions[0].question, 3):
    print("-", fact.statement[LANGUAGE])

# %% [markdown] lang="ja"
# 検索が外せば、モデルは正しく答えようがありません。検索を使う仕組み（RAG）の成績は、検索とモデルの掛け算です。

# %% [markdown] lang="en"
# When the search misses, the model has no chance. A system built on retrieval (RAG) is as good as its search times its model.

# %% [markdown] lang="ja"
# ## 何を読んでいるか
#
# 1問あたりにモデルが読むトークンの数です。プロンプトに書いたことは**毎回の質問で**読み直されます。学習したことは重みの中にあるので、読む必要がありません。

# %% [markdown] lang="en"
# ## What each of them reads
#
# Tokens read for one question, on average. What stands in a prompt is read again for **every single question**. What was learned lies in the weights and need not be read.

# %% tags=["needed"]
tokens = {
    row.label: sum(answer.prompt_tokens for answer in row.answers) / len(row.answers)
    for row in result.rows
}
for row in result.rows:
    print(f"{tokens[row.label]:5.0f}  {row.name}")

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：プロンプトは即効性があり、学習は読む量を減らす。どちらが上という話ではありません。
# - **指す**：再現率の列と、いまの5つの数字。
# - **遅れたら飛ばす**：few-shotの例と検索の中身。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: A prompt works at once, training makes the reading shorter. Neither is simply better.
# - **Point at**: the column of facts stated, and the five numbers just now.
# - **If late, skip**: the few-shot examples and what the search found.

# %% [markdown] lang="ja"
# ## 講演の比較表を、測ったことで直す
#
# もとになった講演には、プロンプトとファインチューニングを比べる表があります。ここまでに測ったことと突き合わせます。
#
# | 項目 | 講演の表 | ここで測ると |
# |---|---|---|
# | 学習 | プロンプトは既存の知識の活用のみ、ファインチューニングは新しい知識を学習できる | プロンプトの候補は、見たこともないお店の決まりを答えました。新しい知識は**渡せば**使えます。学習で覚えるのは、行の中に言い回しを変えて何度も出てきたことです |
# | コスト | プロンプトは無料、ファインチューニングにはGPUが必要で時間がかかる | 小さなモデルなら、GPUのない機械でも学習は終わります（かかった秒数は下）。プロンプトも無料ではなく、読むトークンを毎回払います |
# | 効果 | プロンプトは表面的、ファインチューニングは根本的 | 事実を答えることでは、差はわずかです。学習の強みは、読ませなくてよいこと、答え方がそろうことです。その代わりに失うものもあり、05章で測ります |
# | データ | プロンプトは例が数個、ファインチューニングは最低50〜100 | 例が数個だと、その数個の事実しか答えられません。何行で足りるかはモデルと設定で大きく変わり、09章で測ります |

# %% [markdown] lang="en"
# ## The talk's table, put right by measuring
#
# The talk behind this course compares prompting and fine-tuning in a table. Here it stands beside what we have just measured.
#
# | | the talk's table | measured here |
# |---|---|---|
# | Learning | prompting uses existing knowledge only, fine-tuning can learn new knowledge | the prompted candidate stated the rules of a shop it had never seen: new knowledge works as soon as it is **handed over**. Training picks up what its rows say, again and again and in changing words |
# | Cost | prompting is free, fine-tuning needs a GPU and time | a small model trains without any GPU; the seconds stand below. A prompt is not free either: its tokens are paid for with every question |
# | Effect | prompting is superficial, fine-tuning fundamental | at stating facts they are close. Training's strength is that nothing need be read and that answers come in one manner. It costs something as well, which chapter 05 measures |
# | Data | prompting takes a few examples, fine-tuning at least 50 to 100 | a few examples give you the facts of a few examples. How many rows are enough depends on the model and the recipe: chapter 09 |

# %% [markdown] lang="ja"
# 学習にかかった秒数と、計算に使った装置です（アダプターが見つかったときは、作ったときの記録です）。

# %% [markdown] lang="en"
# The seconds that training took, and what computed it (where the adapter was found, as recorded when it was made).

# %% tags=["nbval-ignore-output", "timed"]
print(f"{many.rows} rows, {many.seconds:.0f} s, {many.device}")

# %% [markdown] lang="ja"
# ## LoRAを自分で書く
#
# ファインチューニングは「重みを更新する」ことです。でも、全部の重みを更新すると、モデルの大きさの何倍ものメモリが要ります。LoRAは元の重み $W$ を**凍らせたまま**、隣に細長い行列を2つ置いて、それだけを学習します。
#
# $$y = Wx + \frac{\alpha}{r}\,B\,A\,x$$
#
# $A$ は $r$ 行、$B$ は $r$ 列しかありません。$r$（ランク）を小さくすれば、学習する数はぐっと減ります。式のとおりに書くと、これだけです。

# %% [markdown] lang="en"
# ## LoRA, written by hand
#
# Fine-tuning means updating weights. Updating all of them takes several times the model's size in memory. LoRA leaves the weights $W$ **frozen**, puts two thin matrices beside them, and trains only those.
#
# $$y = Wx + \frac{\alpha}{r}\,B\,A\,x$$
#
# $A$ has only $r$ rows and $B$ only $r$ columns. With a small $r$, the rank, there is little left to train. Written down as it stands, this is all of it.

# %% tags=["needed"]
import torch
from torch import nn


class LoraLinear(nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.linear = linear.requires_grad_(False)  # W stays as it is
        self.A = nn.Parameter(torch.randn(rank, linear.in_features) / rank)
        self.B = nn.Parameter(torch.zeros(linear.out_features, rank))
        self.scale = alpha / rank

    def forward(self, x):
        return self.linear(x) + self.scale * (x @ self.A.T) @ self.B.T


# %% [markdown] lang="ja"
# 本物の層にかぶせて確かめます。相手は、学習したモデルの層を1つ。PEFT（LoRAの標準ライブラリ）が作った層の中に、元のLinearが `base_layer` として残っています。
#
# 最初は $B = 0$ なので、足されるのもゼロです。学習を始める前のモデルは、元のモデルと**ぴったり同じ**でなければなりません。

# %% [markdown] lang="en"
# Put it over a real layer and see. We take one from the trained model: PEFT, the standard library for LoRA, has built its own layer there and kept the original Linear inside it as `base_layer`.
#
# At the start $B = 0$, so nothing is added. Before training begins the model must be **exactly** the model it was.

# %% tags=["needed"]
from workshop_helpers import choose_device, load_model, lora_matrices

trained = lora_matrices(many.adapter)
model = load_model(many.adapter, choose_device("cpu"), dtype="bf16")
peft_layer = model.get_submodule(f"base_model.model.{trained.layer}").float()
ours = LoraLinear(peft_layer.base_layer, trained.rank, trained.scale * trained.rank)

torch.manual_seed(0)
x = torch.randn(4, ours.linear.in_features)
same_at_start = torch.equal(ours(x), peft_layer.base_layer(x))
print(trained.layer, same_at_start)

# %% [markdown] lang="ja"
# 次に、学習で得られた $A$ と $B$ を自分の層に入れます。PEFTの層と同じ答えになれば、上の数行が本物のLoRAだという証拠です。

# %% [markdown] lang="en"
# Now give our layer the $A$ and $B$ that training has found. If it says what PEFT's layer says, those few lines are the real thing.

# %% tags=["needed"]
with torch.no_grad():
    ours.A.copy_(trained.A)
    ours.B.copy_(trained.B)
    as_peft = torch.allclose(ours(x), peft_layer(x), atol=1e-4)
    changed = not torch.allclose(ours(x), peft_layer.base_layer(x), atol=1e-4)
print(as_peft, changed)

# %% [markdown] lang="ja"
# ## W、A、Bを見る
#
# 数字だけでは味気ないので、本物の重みを絵にします。左が凍った $W$、右が学習の足した分です。右の1マスは、その左の $B$ の行と上の $A$ の列からできています。

# %% [markdown] lang="en"
# ## See W, A and B
#
# Here are the real weights, drawn. On the left the frozen $W$, on the right what training adds: each of its cells is made of the row of $B$ to its left and the column of $A$ above it.

# %% tags=["nbval-ignore-output", "stage:lora-drawn"]
from workshop_helpers import lora_picture

lora_picture(trained, LANGUAGE)

# %% [markdown] lang="ja"
# この層で学習する数は、$W$ の何分の1でしょう。モデル全体ではどうでしょう。講演は「全パラメータの1%だけを更新」と言います。それは大きなモデルと低いランクの話で、割合はモデルの形とランクで決まります。

# %% [markdown] lang="en"
# How many numbers does this layer train, and how many does $W$ hold? And the model as a whole? The talk says that 1% of all parameters are updated. That is so for a large model and a low rank; the share depends on the model's shape and the rank.

# %% tags=["stage:lora-counted"]
print(f"W {trained.W.numel():,}  A + B {trained.parameters():,}")
print(f"{many.trainable:,} / {many.total:,} = {many.trainable / many.total:.1%}")

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：LoRAは、凍った重みに細い行列を2つ足すだけ。書けば10行あまりです。
# - **指す**：絵の縞模様。右の行列が縞になるのは、ランクが低いからです。
# - **遅れたら飛ばす**：PEFTとの一致の確認。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: LoRA puts two thin matrices beside frozen weights. Written down, that is a dozen lines.
# - **Point at**: the stripes in the picture: the right-hand matrix is striped because its rank is low.
# - **If late, skip**: the proof against PEFT.

# %% [markdown] lang="ja"
# ## 演習
#
# `answer = ...` の `...` を自分の答えに変えて、下の採点のセルを実行してください。コードで答えを計算しても、値を直接書いてもかまいません。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer in place of the `...` in `answer = ...` and run the check below it. Compute the answer or write down a value, as you like.

# %% tags=["needed"]
from workshop_helpers import Exercises

exercises = Exercises("01", LANGUAGE)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習1　どこまで細ければ得か。** ランクを上げるほど、学習する数は増えます。この層の $A$ と $B$ の数の合計が、初めて $W$ の数以上になるのはランクがいくつのときでしょう。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 1: how thin must it be?** The higher the rank, the more there is to train. At which rank do $A$ and $B$ of this layer together first hold as many numbers as $W$, or more?

# %% tags=["exercise"]
outputs, inputs = trained.W.shape
print(outputs, inputs)
answer = ...

# %% tags=["solution"]
outputs, inputs = trained.W.shape
answer = next(rank for rank in range(1, inputs) if rank * (outputs + inputs) >= outputs * inputs)
answer

# %% tags=["check"]
right = -(-trained.W.numel() // sum(trained.W.shape))
exercises.check("thin", answer, right, pitfalls={min(trained.W.shape): "thin-full"})

# %% [markdown] lang="ja" tags=["exercise"]
# **演習2　マージ。** 学習が終われば、$A$ と $B$ を元の重みに足し込んで、ただの行列1つに戻せます。`trained` の `W`、`A`、`B`、`scale` から、その行列を作ってください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 2: merging.** Once training is over, $A$ and $B$ can be added into the weights, and what is left is one plain matrix. Make it, from `W`, `A`, `B` and `scale` of `trained`.

# %% tags=["exercise"]
print(trained.W.shape, trained.B.shape, trained.A.shape, trained.scale)
answer = ...

# %% tags=["solution"]
answer = trained.W + trained.scale * trained.B @ trained.A


# %% tags=["check"]
def does_the_same(weight):
    return torch.allclose(nn.functional.linear(x, weight, ours.linear.bias), ours(x), atol=1e-4)


exercises.check("merge", answer, does_the_same)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習3　few-shotの正体。** few-shotの候補が完全に答えられた質問（`score.recall == 1`）のうち、答えの事実が例の中に**書いてあった**ものはいくつでしょう。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 3: what few-shot lives on.** Of the questions that the few-shot candidate answered fully (`score.recall == 1`), how many have their fact **written in the examples**?

# %% tags=["exercise"]
shown = " ".join(row.answer for row in examples)
scores = result.row("few-shot").scores
answered = [q for q, s in zip(questions, scores, strict=True) if s.recall == 1]
print(len(answered), [question.facts for question in answered])
answer = ...

# %% tags=["solution"]
shown = " ".join(row.answer for row in examples)
scores = result.row("few-shot").scores
answered = [q for q, s in zip(questions, scores, strict=True) if s.recall == 1]
answer = sum(all(any(text in shown for text in item) for item in q.expected()) for q in answered)
answer

# %% tags=["check"]
pairs = zip(questions, result.row("few-shot").scores, strict=True)
told = [question for question, score in pairs if score.recall == 1]
given = " ".join(row.answer for row in examples)
right = sum(all(any(text in given for text in item) for item in one.expected()) for one in told)
exercises.check("shown", answer, right)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習4　請求書。** ひと月に100,000問の質問が来るお店で、決まりを全部プロンプトに書くやり方は、学習したモデルより何トークン多く読むでしょう。`tokens` を使って計算してください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 4: the bill.** A shop gets 100,000 questions a month. How many tokens more than the tuned model does the way with all rules in the prompt read? Use `tokens`.

# %% tags=["exercise"]
month = 100_000
print(month, tokens)
answer = ...

# %% tags=["solution"]
month = 100_000
answer = month * (tokens["prompt"] - tokens[str(ROWS)])
answer

# %% tags=["check"]
extra, whole = tokens["prompt"] - tokens[str(ROWS)], tokens["prompt"]
exercises.check("bill", answer, 1e5 * extra, within=0.01, pitfalls={1e5 * whole: "bill-whole"})

# %% [markdown] lang="ja"
# ## 確認クイズ

# %% [markdown] lang="en"
# ## Self-check

# %% [markdown] lang="ja" tags=["quiz"]
# **1.** 5つの候補のうち、重みが違うのはいくつですか。
#
# <details><summary>答え</summary>
#
# 1つだけです。プロンプトもfew-shotも検索も、同じ重みに違うものを読ませているだけです。
#
# </details>
#
# **2.** お店の送料が明日から変わります。いちばん楽に対応できるのはどれですか。
#
# <details><summary>答え</summary>
#
# プロンプトか検索です。文章を1行書き換えれば済みます。学習したモデルは、学習し直すまで古い送料を答え続けます。
#
# </details>
#
# **3.** なぜ $B$ をゼロから始めるのですか。$A$ もゼロではいけませんか。
#
# <details><summary>答え</summary>
#
# ゼロから始めれば、学習の出発点が元のモデルとぴったり同じになります。両方ゼロだと、どちらの勾配もゼロになって、いつまでも学習が始まりません。
#
# </details>
#
# **4.** few-shotの例を増やせば、ファインチューニングと同じになりますか。
#
# <details><summary>答え</summary>
#
# 読む量が例の分だけ毎回増え、いつかモデルの読める長さを超えます。そして例にないことは、相変わらず答えられません。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **1.** How many of the five candidates have other weights?
#
# <details><summary>Answer</summary>
#
# Just one. Prompt, few-shot and retrieval give the same weights something else to read.
#
# </details>
#
# **2.** The shipping fee changes tomorrow. Which way copes most easily?
#
# <details><summary>Answer</summary>
#
# The prompt, or retrieval: change one line of text. The tuned model goes on naming the old fee until it is trained again.
#
# </details>
#
# **3.** Why does $B$ start at zero? Could $A$ start at zero as well?
#
# <details><summary>Answer</summary>
#
# With $B$ at zero, training starts from exactly the model that was there. With both at zero, both gradients are zero and training never gets going.
#
# </details>
#
# **4.** If you add more and more examples, does few-shot become fine-tuning?
#
# <details><summary>Answer</summary>
#
# Each example is read again with every question, until the model's window is full. And what no example says, it still cannot answer.
#
# </details>

# %% [markdown] lang="ja"
# ## うまくいかないと分かっていること
#
# - 同梱の `mame` はとても小さいので、決まりを全部渡しても、普通の送料を聞かれて速達の料金を答えるような取り違えが残ります。
# - ここの検索は文字の重なりしか見ません。言い換えられた質問（「包んでもらう」と「ラッピング」など）は取りこぼします。

# %% [markdown] lang="en"
# ## Known to fail
#
# - The bundled `mame` is tiny. Even with all rules in front of it, it now and then mixes two up, such as the express fee for the standard one.
# - This search sees shared letters only. Questions in other words than the rule's ("quote me the price of plain delivery") slip through.

# %% [markdown] lang="ja"
# ## まとめ
#
# - プロンプト、few-shot、検索は、同じ重みに**読ませるもの**を変えます。ファインチューニングは**重み**を変えます。
# - 新しい事実はプロンプトでも渡せます。ただし毎回読みます。学習すれば読まずに済みますが、変えるには学習し直しです。
# - few-shotで伝わる事実は、例に書いてある分だけです。
# - LoRAは凍った $W$ の隣に $B$ と $A$ を足すだけで、マージすれば元と同じ形に戻ります。

# %% [markdown] lang="en"
# ## In short
#
# - Prompt, few-shot and retrieval change what the same weights **read**. Fine-tuning changes the **weights**.
# - A prompt can bring new facts, but they are read every time. Training saves the reading, and must be repeated when a fact changes.
# - Few-shot passes on the facts that stand in its examples, and no others.
# - LoRA adds $B$ and $A$ beside the frozen $W$; merged, the model has its old shape again.

# %% tags=["closing"]
assert same_at_start and as_peft and changed
assert tokens["base"] == tokens[str(ROWS)] < tokens["retrieval"] < tokens["few-shot"]
assert tokens["retrieval"] < tokens["prompt"]
assert trained.parameters() < trained.W.numel()
recall = {row.label: row.summary.recall for row in result.rows}
if MODEL == "mame":
    assert recall["base"] == 0
    assert min(recall["prompt"], recall["retrieval"], recall[str(ROWS)]) > 0.6
    assert recall["few-shot"] < recall["retrieval"]

# %% [markdown] lang="ja"
# 次の章 `02_ollama_misconceptions` では、「Ollamaでファインチューニングできる」という誤解を、ファイルのハッシュで解きます。

# %% [markdown] lang="en"
# Next, in `02_ollama_misconceptions`, hashes of files settle the claim that "Ollama can fine-tune".

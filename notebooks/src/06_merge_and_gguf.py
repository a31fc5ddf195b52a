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
# # 06 マージしてGGUFにする
#
# 手元にあるのは、ベースモデルと小さなアダプターです。このままではPyTorchの世界から出られません。llama.cppやOllamaで動かすために、2つの段階を踏みます。
#
# 1. **マージ**：アダプターをベースモデルに足し込み、1つのモデルにする
# 2. **変換**：そのモデルをGGUFという1つのファイルにする
#
# どちらも、静かに壊れることがある工程です。だから、やりっぱなしにせず、その場で確かめます。
#
# | | |
# | --- | --- |
# | 目標 | アダプターからGGUFまでを自分で作り、途中で壊れていないことを確かめる |
# | 時間 | 発表では2分、ひとりで15分 |
# | 使うもの | 04章で学習したアダプター（なければここで学習します） |
# | できるもの | マージしたモデルと、llama.cppでもOllamaでも動くF16のGGUF |

# %% [markdown] lang="en"
# # 06 Merge, and convert to GGUF
#
# We have a base model and a small adapter, and both live in the world of PyTorch. To run them in llama.cpp or Ollama takes two steps:
#
# 1. **merge**: add the adapter into the base model, so that there is one model
# 2. **convert**: write that model as a single GGUF file
#
# Either step can go wrong without a sound. So we check each on the spot instead of hoping.
#
# | | |
# | --- | --- |
# | Goal | Make a GGUF from an adapter yourself, and know that nothing broke on the way |
# | Minutes | 2 in the talk, 15 on your own |
# | Comes in | The adapter of chapter 04 (trained here if it is not there) |
# | Goes out | The merged model, and an F16 GGUF that runs in llama.cpp and in Ollama |

# %% [markdown] lang="ja"
# 変えられるのは、モデル、学習に使う行の数、言語の3つだけです。

# %% [markdown] lang="en"
# The model, the number of training rows and the language: there is nothing else to change.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 100
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# アダプターを用意します。前の章のものがあれば、それがそのまま返ってきます。

# %% [markdown] lang="en"
# First the adapter. If an earlier chapter has made it already, it comes straight back.

# %% tags=["needed"]
from workshop_helpers import LoraRecipe, Shop, runs_folder, train

shop, runs = Shop(LANGUAGE), runs_folder(MODEL, LANGUAGE)
recipe = LoraRecipe.for_model(MODEL)
tuned = train(MODEL, shop.train[:ROWS], runs / f"tuned-{ROWS}", recipe)

# %% [markdown] lang="ja"
# ## マージとは、足し算をすること
#
# 04章の式を思い出してください。$W' = W + \frac{\alpha}{r} B A$ の右辺は、実行のたびに計算する必要はありません。一度足してしまえば、$W$ と同じ大きさの行列が1つ残るだけです。モデルの構造は変わらず、速さも元のモデルと同じになります。

# %% [markdown] lang="en"
# ## Merging is an addition
#
# Remember the formula from chapter 04, $W' = W + \frac{\alpha}{r} B A$. There is no need to work out the right-hand side on every run: add it up once and what remains is one matrix, just as large as $W$. The architecture stays the same, and so does the speed of the base model.

# %% tags=["needed", "nbval-ignore-output", "timed", "stage:merge"]
from workshop_helpers import merge

merged = merge(tuned.adapter, runs / f"model-{ROWS}")
print(f"{merged.dtype = }  {merged.size_bytes = :,}  {merged.seconds = :.1f}")

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：マージは足し算を1回するだけです。Ollamaに渡すのは、この足し算が済んだモデルです。
# - **指す**：次のセルの2つの数字。上はアダプターが重みを動かした量、下は手計算とのずれです。
# - **遅れたら飛ばす**：手計算と丸めのセル。`merge` の1行だけ見せて、変換へ進みます。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: a merge is one addition. What Ollama gets is the model after that sum.
# - **Point at**: the two figures of the next cell. The first is how far the adapter moved the weights, the second how far we are off by hand.
# - **If late, skip**: the sum by hand and the rounding. Show the one line with `merge` and go on to the conversion.

# %% [markdown] lang="ja"
# 本当に足し算だけなのか、アダプターが変えた行列を1つ取り出して、自分の手で確かめます。`A` と `B` がアダプターの中身、`scale` が $\alpha / r$ です。

# %% [markdown] lang="en"
# Is that really all there is to it? Take one of the matrices that the adapter changes and do the sum by hand. `A` and `B` are what the adapter holds, `scale` is $\alpha / r$.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import choose_device, load_model, lora_matrices

layer = lora_matrices(tuned.adapter)
by_hand = layer.W + layer.scale * layer.B @ layer.A
model = load_model(merged.model, choose_device("cpu"))
written = model.get_submodule(layer.layer).weight.detach().float()
print(layer.layer, tuple(layer.W.shape))
print(f"{(by_hand - layer.W).abs().max().item() = :.5f}")
print(f"{(by_hand - written).abs().max().item() = :.5f}")

# %% [markdown] lang="ja"
# 上が「アダプターがどれだけ重みを動かしたか」、下が「手計算とマージ結果の差」です。下がぴったり0にならないのは、保存するときに数値の形式を `dtype` の桁数に丸めるからです。
#
# ## 丸めるのは1回だけ
#
# bf16の有効桁は10進数で2〜3桁しかありません。計算の途中でも丸めると、誤差が積み重なります。そこで、足し算はfp32で行い、**最後に1回だけ**丸めます。同じ行列で両方を試してみましょう。

# %% [markdown] lang="en"
# The first figure is how far the adapter moved the weights; the second, how far our own sum is from what was merged. It is not quite zero because the result is rounded to `dtype` when it is saved.
#
# ## Round once
#
# bf16 keeps only two to three decimal digits. Round along the way as well and the errors add up. That is why the sum is done in fp32 and rounded **once, at the very end**. Here are both ways on the same matrix.

# %% tags=["nbval-ignore-output"]
once = by_hand.bfloat16().float()
change = layer.scale * layer.B.bfloat16() @ layer.A.bfloat16()
along_the_way = (layer.W.bfloat16() + change).float()
print(f"{(once - by_hand).abs().mean().item() = :.6f}")
print(f"{(along_the_way - by_hand).abs().mean().item() = :.6f}")

# %% [markdown] lang="ja"
# 差はわずかでも、手間なしで避けられる誤差です。
#
# ## マージの答え合わせ
#
# `merge` は、書き出したファイルを読み直し、同じ文章に対するロジット（次のトークンの点数）を比べてから終わります。見るべき数字は2つです。
#
# - **アダプターとの差**は小さいはずです。大きければ、マージしたモデルは別物です。
# - **ベースモデルとの差**は大きいはずです。0なら、マージしたつもりで何も起きていません（本当によくある事故です）。

# %% [markdown] lang="en"
# Not much of a difference, but it is an error that costs nothing to avoid.
#
# ## Checking the merge
#
# Before it returns, `merge` reads back what it wrote and compares logits, the scores for the next token, on the same texts. Two figures matter:
#
# - the **difference to the adapter** should be small, or the merged model is not what you trained;
# - the **difference to the base** should be large. If it is zero, nothing was merged at all, and that really happens.

# %% tags=["nbval-ignore-output"]
print(f"{merged.difference_to_adapter = :.4f}")
print(f"{merged.difference_to_base = :.4f}")

# %% [markdown] lang="ja"
# ## GGUFに変換する
#
# GGUFは、llama.cppやOllamaが読む形式です。重みだけでなく、トークナイザーもチャットテンプレートも、終わりのトークンも1つのファイルに入ります。変換にはllama.cppの公式の変換スクリプトを使います。講演の資料にある `convert-hf-to-gguf.py` は古い名前で、今は `convert_hf_to_gguf.py` です。

# %% [markdown] lang="en"
# ## Convert to GGUF
#
# GGUF is what llama.cpp and Ollama read. One file holds not only the weights but also the tokenizer, the chat template and the token that ends an answer. The conversion is done by llama.cpp's own converter. The material of the talk calls it `convert-hf-to-gguf.py`, which is its old name; today it is `convert_hf_to_gguf.py`.

# %% tags=["needed", "nbval-ignore-output", "timed", "stage:gguf"]
from workshop_helpers import convert

gguf = convert(merged.model, runs / f"model-{ROWS}-F16.gguf")
print(f"{gguf.type = }  {gguf.size_bytes = :,}  {gguf.seconds = :.1f}")

# %% [markdown] lang="ja"
# ## GGUFの中身
#
# ファイルの中をのぞいてみます。先頭はモデルの説明書き（メタデータ）で、その後ろに名前の付いた行列が並びます。上のボタンで切り替え、`eos` や `attn` のような言葉で検索できます。

# %% [markdown] lang="en"
# ## What is in a GGUF
#
# Let us look inside. First come notes about the model, the metadata, and then one named matrix after the other. Switch with the buttons, and search for words such as `eos` or `attn`.

# %% tags=["stage:inside"]
from workshop_helpers import inspect_gguf

inspect_gguf(gguf, LANGUAGE)

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：GGUFは1つで完結します。重みもトークナイザーもテンプレートも、このファイルの中です。
# - **指す**：「ファイルの内訳」の帯。ほとんどが重みで、残りの細い部分がヘッダーです。そのあと「チャットテンプレート」を開きます。
# - **遅れたら飛ばす**：メタデータとテンソルの一覧。帯だけ見せます。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: a GGUF is complete in itself. Weights, tokenizer and template are all in this one file.
# - **Point at**: the bar below "What fills the file". Nearly all of it is weights, the thin rest is the header. Then open the chat template.
# - **If late, skip**: the lists of metadata and tensors. The bar is enough.

# %% [markdown] lang="ja"
# 見出しのうち、会話に関わるのは次の3つです。終わりのトークンがなければ話は止まらず、テンプレートがなければ実行側が形を推測します。

# %% [markdown] lang="en"
# Three of its entries decide how a conversation goes. Without the end token the model never stops, and without the template the runtime has to guess one.

# %% tags=["needed"]
from workshop_helpers import read_gguf

inside = read_gguf(gguf.path)
for key in ("tokenizer.ggml.pre", "tokenizer.ggml.eos_token_id", "tokenizer.chat_template"):
    print(f"{key}: {inside.metadata.get(key)}")

# %% [markdown] lang="ja"
# ## 変換の答え合わせ
#
# 変換の失敗は、エラーではなく「なんだか変な答え」として現れます。トークンの切り方が違う、終わりのトークンがない、計算のしかたが違う。そこで `convert` は、できたファイルをllama.cppで開いて調べます。

# %% [markdown] lang="en"
# ## Checking the conversion
#
# A conversion seldom fails with an error. It fails with answers that are somehow off: text cut into other tokens, no end token, another way of computing. So `convert` opens the file in llama.cpp and looks.

# %%
check = gguf.check
print(f"{check.loads = }")
print(f"{check.token_ids_equal = }")
print(f"{check.template = }  {check.eos = }")
print(f"{check.problems = }")

# %% [markdown] lang="ja"
# `token_ids_equal` は、日本語や全角数字、絵文字、特殊トークンまで含む文章が、元のトークナイザーとまったく同じ番号の列になったかどうかです。`problems` が空なら、見つかった問題はありません。
#
# ## llama.cppに聞く
#
# いよいよ、PyTorchなしで動かします。`ask` に渡すのは `.gguf` のパスだけです。

# %% [markdown] lang="en"
# `token_ids_equal` says whether a text with Japanese, full-width digits, an emoji and special tokens became exactly the numbers that the original tokenizer gives. No `problems` means that none were found.
#
# ## Ask llama.cpp
#
# Now without PyTorch. All that `ask` needs is the path of the `.gguf`.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import ask

for question in shop.questions[:3]:
    print(f"Q: {question.question}\nA: {ask(gguf.path, question.question).text}\n")

# %% [markdown] lang="ja"
# 変換の前と後で、答えは同じでしょうか。評価用の質問をすべて両方に投げ、トークン列が最後まで一致した割合を数えます。1つもずれないとは限りません。llama.cppは計算の途中をF16で持つので、1位と2位の点数が僅差だと、順位が入れ替わることがあります。

# %% [markdown] lang="en"
# Are the answers the same as before the conversion? Put all the held-out questions to both, and count how many answers agree token for token to the very end. It need not be every one: llama.cpp keeps intermediate results in F16, and where first and second place are nearly tied they may swap.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import agreement

same = agreement(merged.model, gguf.path, shop.questions)
print(f"{same.equal:.1%} of {same.questions}")
for difference in same.differences[:3]:
    print(f"{difference.question}\n  {difference.transformers!r} / {difference.llama_cpp!r}")

# %% [markdown] lang="ja"
# ## 大きさを比べる
#
# ここまでに作ったものの大きさです。配りやすいのはアダプターですが、使うにはベースモデルが要ります。GGUFは、それだけで動きます。

# %% [markdown] lang="en"
# ## How large is all that?
#
# The adapter is easy to pass around, but useless without its base. The GGUF runs on its own.

# %%
adapter = tuned.adapter / "adapter_model.safetensors"
print(f"{'adapter':8} {adapter.stat().st_size / 1e6:6.1f} MB")
print(f"{'merged':8} {merged.size_bytes / 1e6:6.1f} MB  ({merged.dtype})")
print(f"{'GGUF':8} {gguf.size_bytes / 1e6:6.1f} MB  ({gguf.type})")

# %% [markdown] lang="ja"
# 講演では、同じ道のりを3Bのモデルで歩いています。F16のGGUFは6GBでした。重み1つに2バイトですから、計算は合います。

# %% [markdown] lang="en"
# The talk walks the same way with a 3B model; its F16 GGUF has 6 GB. Two bytes for each weight: the sum comes out right.

# %% [markdown] lang="ja"
# ## 演習
#
# `answer` に答えを入れて実行すると、下のセルが答え合わせをして、理由も教えてくれます。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer into `answer` and run the cell; the one below says whether it is right, and why.

# %% tags=["needed"]
from workshop_helpers import Exercises

exercises = Exercises("06", LANGUAGE)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習1：足す前に掛ける数** マージの式では、$BA$ に $\alpha / r$ を掛けてから足します。`recipe` から、この数を計算してください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 1: what the product is multiplied by** In the formula of the merge, $BA$ is multiplied by $\alpha / r$ before it is added. Work that number out from `recipe`.

# %% tags=["exercise"]
print(recipe.rank, recipe.alpha)
answer = ...

# %% tags=["solution"]
answer = recipe.alpha / recipe.rank
answer

# %% tags=["check"]
right, upside_down = recipe.alpha / recipe.rank, recipe.rank / recipe.alpha
exercises.check("scale", answer, right, pitfalls={upside_down: "scale-upside-down"})

# %% [markdown] lang="ja" tags=["exercise"]
# **演習2：変わった行列はいくつか** マージの前と後のモデルを `state_dict()` で比べ、中身が変わった行列を数えてください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 2: how many matrices changed?** Compare the model before and after the merge by their `state_dict()`, and count the matrices whose content changed.

# %% tags=["exercise"]
from workshop_helpers import choose_device, load_model

before = load_model(MODEL, choose_device("cpu")).state_dict()
after = load_model(merged.model, choose_device("cpu")).state_dict()
answer = ...

# %% tags=["solution"]
from workshop_helpers import choose_device, load_model

before = load_model(MODEL, choose_device("cpu")).state_dict()
after = load_model(merged.model, choose_device("cpu")).state_dict()
answer = sum(not after[name].equal(before[name]) for name in before)
answer

# %% tags=["check"]
from workshop_helpers import lora_layers

layers = lora_layers(tuned.adapter)
exercises.check("changed", answer, len(layers), pitfalls={len(before): "changed-all"})

# %% [markdown] lang="ja" tags=["exercise"]
# **演習3：重みではない部分** `inside.tensors` の各要素は `size_bytes` を持っています。ファイルのうち、重み以外（メタデータやトークナイザー）は何バイトでしょうか。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 3: what is not weights** Each of `inside.tensors` has its `size_bytes`. How many bytes of the file are something else: metadata and tokenizer?

# %% tags=["exercise"]
print(f"{inside.size_bytes:,}")
answer = ...

# %% tags=["solution"]
answer = inside.size_bytes - sum(tensor.size_bytes for tensor in inside.tensors)
f"{answer:,}"

# %% tags=["check"]
weights = sum(tensor.size_bytes for tensor in inside.tensors)
right = inside.size_bytes - weights
exercises.check("header", answer, right, pitfalls={weights: "header-weights"})

# %% [markdown] lang="ja" tags=["exercise"]
# **演習4：どこで話をやめるか** メタデータにあるのは、終わりのトークンの番号だけです。`tokenizer.ggml.tokens` の一覧から、そのトークンの文字列を探してください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 4: where an answer ends** The metadata only gives the number of the end token. Find its text in the list `tokenizer.ggml.tokens`.

# %% tags=["exercise"]
tokens = inside.metadata["tokenizer.ggml.tokens"]
answer = ...

# %% tags=["solution"]
tokens = inside.metadata["tokenizer.ggml.tokens"]
answer = tokens[inside.metadata["tokenizer.ggml.eos_token_id"]]
answer

# %% tags=["check"]
number = inside.metadata["tokenizer.ggml.eos_token_id"]
exercises.check("end", answer, gguf.check.eos, pitfalls={number: "end-number"})

# %% [markdown] lang="ja"
# ## 確認クイズ

# %% [markdown] lang="en"
# ## Self-check

# %% [markdown] lang="ja" tags=["quiz"]
# **1.** アダプターを付けたままでも動くのに、なぜマージするのでしょうか。
#
# <details><summary>答え</summary>
#
# 1つのモデルになれば、構造も速さも元のモデルと同じになり、そのままGGUFに変換できます。アダプターのままだと、動かす側が毎回 $BA$ の分も計算し、ベースモデルも一緒に持ち歩く必要があります。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **1.** A model runs with its adapter beside it. Why merge at all?
#
# <details><summary>Answer</summary>
#
# One model has the architecture and the speed of its base, and can be converted to GGUF as it is. With an adapter the runtime computes $BA$ as well, each time, and the base has to come along.
#
# </details>

# %% [markdown] lang="ja" tags=["quiz"]
# **2.** `difference_to_base` が0でした。何が起きたのでしょうか。
#
# <details><summary>答え</summary>
#
# 何も足されていません。書き出されたのはベースモデルそのものです。アダプターの層の名前がモデルと合わず、黙って読み飛ばされたときなどに起こります。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **2.** `difference_to_base` is zero. What happened?
#
# <details><summary>Answer</summary>
#
# Nothing was added; what was written is the base model itself. It happens, for example, when the layers of the adapter have other names than those of the model and are passed over in silence.
#
# </details>

# %% [markdown] lang="ja" tags=["quiz"]
# **3.** 変換したモデルが、答えたあとも延々としゃべり続けます。まずどこを見ますか。
#
# <details><summary>答え</summary>
#
# 終わりのトークンです。GGUFの `tokenizer.ggml.eos_token_id` が、チャットテンプレートが回答の最後に書くトークンと同じかどうかを確かめます。`convert` の `check` は、これを自動で調べています。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **3.** A converted model answers and then talks on and on. Where do you look first?
#
# <details><summary>Answer</summary>
#
# At the end token: is `tokenizer.ggml.eos_token_id` of the GGUF the one that the chat template writes after an answer? The `check` of `convert` looks at this by itself.
#
# </details>

# %% [markdown] lang="ja" tags=["quiz"]
# **4.** 質問の答えが変換の前後で1つだけ違いました。変換は失敗でしょうか。
#
# <details><summary>答え</summary>
#
# それだけでは分かりません。1位と2位の点数がほとんど同じところで分かれたのなら、丸めの違いです。点数に開きがあるところで分かれたのなら、トークンの切り方やテンプレートを疑います。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **4.** One single answer differs before and after the conversion. Did it fail?
#
# <details><summary>Answer</summary>
#
# That alone does not tell. If the answers part where first and second place are nearly tied, it is rounding. If they part where there was a clear winner, suspect the tokens or the template.
#
# </details>

# %% [markdown] lang="ja"
# ## うまくいかないと分かっていること
#
# - llama.cppが知らない構造のモデルは、変換できません。始める前に名前を挙げて断ります。
# - 答えが1つ残らず一致するとは限りません。点数が並んだところでは、丸め方の違いで別のトークンが選ばれます。
# - 大きなモデルのマージは、モデル全体をメモリに載せます。メモリに収まらないときは、その旨を伝えて止まります。

# %% [markdown] lang="en"
# ## Known to fail
#
# - A model whose architecture llama.cpp does not know cannot be converted. It is refused by name before any work is done.
# - Not every answer need agree. Where scores are tied, another way of rounding picks another token.
# - Merging holds the whole model in memory. Where it does not fit, the merge stops and says so.

# %% [markdown] lang="ja"
# ## まとめ
#
# - マージは足し算です。fp32で足し、丸めるのは最後に1回だけにします。
# - マージの後は「アダプターと同じか」「ベースモデルと違うか」の両方を確かめます。
# - GGUFには重み、トークナイザー、テンプレート、終わりのトークンがまとめて入ります。どれが欠けても、エラーは出ずに答えがおかしくなります。

# %% [markdown] lang="en"
# ## In short
#
# - A merge is a sum: add in fp32, round once at the end.
# - After a merge, check both: does it match the adapter, and does it differ from the base?
# - A GGUF carries weights, tokenizer, template and end token. If one of them is missing there is no error, only odd answers.

# %% tags=["closing"]
moved, off = (by_hand - layer.W).abs().max(), (by_hand - written).abs().max()
assert off < moved / 2, "the merge is the sum that we did by hand"
assert (once - by_hand).abs().mean() <= (along_the_way - by_hand).abs().mean()
assert merged.difference_to_adapter < merged.difference_to_base
assert gguf.check.problems == [] and gguf.check.token_ids_equal
assert inside.type == "F16" and inside.metadata["tokenizer.chat_template"]
assert adapter.stat().st_size < merged.size_bytes < 2 * gguf.size_bytes
if MODEL == "mame":
    assert same.equal > 0.95

# %% [markdown] lang="ja"
# 次の章 `07_quantization` では、このF16のファイルをもっと小さくし、その代わりに何を失うのかを測ります。

# %% [markdown] lang="en"
# Next, in `07_quantization`, we make this F16 file smaller, and measure what that takes away.

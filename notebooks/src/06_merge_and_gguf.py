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

# %% [markdown] lang="en"
# # 06 Merge, and convert to GGUF
#
# We have a base model and a small adapter, and both live in the world of PyTorch. To run them in llama.cpp or Ollama takes two steps:
#
# 1. **merge**: add the adapter into the base model, so that there is one model
# 2. **convert**: write that model as a single GGUF file
#
# Either step can go wrong without a sound. So we check each on the spot instead of hoping.

# %% tags=["parameters"]
MODEL = "mame"
LANGUAGE = "ja"
RUNS = "runs"

# %% [markdown] lang="ja"
# 100行で学習したアダプターを用意します。前の章のものがあれば、それがそのまま返ってきます。

# %% [markdown] lang="en"
# First the adapter tuned on 100 rows. If an earlier chapter has made it already, it comes straight back.

# %%
from workshop_helpers import LoraRecipe, Shop, train

shop = Shop(LANGUAGE)
tuned = train(MODEL, shop.train[:100], f"{RUNS}/tuned-100", LoraRecipe.for_model(MODEL))

# %% [markdown] lang="ja"
# ## マージとは、足し算をすること
#
# 04章の式を思い出してください。$W' = W + \frac{\alpha}{r} B A$ の右辺は、実行のたびに計算する必要はありません。一度足してしまえば、$W$ と同じ大きさの行列が1つ残るだけです。モデルの構造は変わらず、速さも元のモデルと同じになります。

# %% [markdown] lang="en"
# ## Merging is an addition
#
# Remember the formula from chapter 04, $W' = W + \frac{\alpha}{r} B A$. There is no need to work out the right-hand side on every run: add it up once and what remains is one matrix, just as large as $W$. The architecture stays the same, and so does the speed of the base model.

# %% tags=["nbval-ignore-output", "timed"]
from workshop_helpers import merge

merged = merge(tuned.adapter, f"{RUNS}/model")
print(f"{merged.dtype = }  {merged.size_bytes = :,}  {merged.seconds = :.1f}")

# %% [markdown] lang="ja"
# 本当に足し算だけなのか、行列を1つ取り出して自分の手で確かめます。`lora_A` と `lora_B` がアダプターの中身、`scaling` が $\alpha / r$ です。

# %% [markdown] lang="en"
# Is that really all there is to it? Take one matrix and do the sum by hand. `lora_A` and `lora_B` are what the adapter holds, `scaling` is $\alpha / r$.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import choose_device, load_model

name, device = "model.layers.0.mlp.down_proj", choose_device("cpu")
lora = load_model(tuned.adapter, device).get_submodule(f"base_model.model.{name}")
W = load_model(MODEL, device).get_submodule(name).weight.detach().float()
A, B = (part["default"].weight.detach().float() for part in (lora.lora_A, lora.lora_B))
by_hand = W + lora.scaling["default"] * B @ A
written = load_model(merged.model, device).get_submodule(name).weight.detach().float()
print(f"{(by_hand - W).abs().max().item() = :.5f}")
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
along_the_way = (W.bfloat16() + lora.scaling["default"] * B.bfloat16() @ A.bfloat16()).float()
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
# GGUFは、llama.cppやOllamaが読む形式です。重みだけでなく、トークナイザーもチャットテンプレートも、終わりのトークンも1つのファイルに入ります。変換にはllama.cppの公式の変換スクリプトを使います。

# %% [markdown] lang="en"
# ## Convert to GGUF
#
# GGUF is what llama.cpp and Ollama read. One file holds not only the weights but also the tokenizer, the chat template and the token that ends an answer. The conversion is done by llama.cpp's own converter.

# %% tags=["nbval-ignore-output", "timed"]
from workshop_helpers import convert

gguf = convert(merged.model, f"{RUNS}/model-F16.gguf")
print(f"{gguf.type = }  {gguf.size_bytes = :,}  {gguf.seconds = :.1f}")

# %% [markdown] lang="ja"
# ファイルの中をのぞいてみます。前半はモデルの説明書き（メタデータ）、後半は名前の付いた行列の並びです。

# %% [markdown] lang="en"
# Let us look inside. First come notes about the model, the metadata, then one named matrix after the other.

# %%
from workshop_helpers import read_gguf

inside = read_gguf(gguf.path)
for key in ("general.architecture", "tokenizer.ggml.pre", "tokenizer.ggml.eos_token_id"):
    print(f"{key}: {inside.metadata.get(key)}")
print(f"\n{len(inside.tensors)} tensors")
for tensor in inside.tensors[:4]:
    print(f"{tensor.name:24} {tensor.shape!s:14} {tensor.type}")

# %% [markdown] lang="ja"
# ## 変換の答え合わせ
#
# 変換の失敗は、エラーではなく「なんだか変な答え」として現れます。トークンの切り方が違う、終わりのトークンがなくて話が止まらない、テンプレートがなくて実行側が勝手に推測する。そこで `convert` は、できたファイルをllama.cppで開いて調べます。

# %% [markdown] lang="en"
# ## Checking the conversion
#
# A conversion seldom fails with an error. It fails with answers that are somehow off: text cut into other tokens, no end token so the model rambles on, no template so the runtime guesses one. So `convert` opens the file in llama.cpp and looks.

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
# ## まとめ
#
# - マージは足し算です。fp32で足し、丸めるのは最後に1回だけにします。
# - マージの後は「アダプターと同じか」「ベースモデルと違うか」の両方を確かめます。
# - GGUFには重み、トークナイザー、テンプレート、終わりのトークンがまとめて入ります。どれが欠けても、エラーは出ずに答えがおかしくなります。
#
# 次の章 `07_quantization` では、このF16のファイルをもっと小さくし、その代わりに何を失うのかを測ります。

# %% [markdown] lang="en"
# ## In short
#
# - A merge is a sum: add in fp32, round once at the end.
# - After a merge, check both: does it match the adapter, and does it differ from the base?
# - A GGUF carries weights, tokenizer, template and end token. If one of them is missing there is no error, only odd answers.
#
# Next, in `07_quantization`, we make this F16 file smaller, and measure what that takes away.

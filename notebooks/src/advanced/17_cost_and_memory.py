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
# # 17 費用とメモリ
#
# 「このGPUに入りますか」「いつ終わりますか」「いくらですか」。学習を始める前に知りたいのは、この三つです。この章では式を一つずつ組み立て、ここで測ったピークと突き合わせ、ほかの人の数字とも比べます。合わないところも、そのまま載せます。
#
# | | |
# | --- | --- |
# | 目標 | メモリを項ごとに見積もり、入るバッチサイズ、かかる秒数、費用を学習の前に出せるようになる |
# | 時間 | ひとりで20分 |
# | 使うもの | `mame`、日付つきの料金表 `data/prices.yaml` |
# | できるもの | 見積もりと実測の表、自分の条件での見積もり |

# %% [markdown] lang="en"
# # 17 Cost and memory
#
# "Does it fit on this GPU?" "How many hours?" "How much?" That is what one wants to know before a training. In this chapter we build the formulas one at a time, hold them against peaks measured here, and against other people's figures. Where they do not agree, that is shown, too.
#
# | | |
# | --- | --- |
# | Goal | Estimate memory term by term, and give the batch that fits, the time and the price before anything is trained |
# | Minutes | 20 on your own |
# | Comes in | `mame`, and a dated price list, `data/prices.yaml` |
# | Goes out | A table of estimated against measured, and an estimate for your own case |

# %% [markdown] lang="ja"
# モデルと言語は次のセルで選びます。

# %% [markdown] lang="en"
# Model and language are chosen in the next cell.

# %% tags=["parameters"]
MODEL = "mame"
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# ## 六つの項
#
# 学習がメモリに置くものは六つあります。**重み**、**アダプター**、**勾配**（学習する重みと同じ数）、**オプティマイザ**（AdamWは学習する重み1つに二つの値）、**活性値**（戻りの計算のために各層が取っておくもの）、**ロジット**（語彙の数だけ並ぶ点数。三つ分）。7Bのモデルを、三つの手法で見積もります。

# %% [markdown] lang="en"
# ## Six terms
#
# There are six things that a training keeps in memory: **weights**, **adapter**, **gradients** (as many as weights that learn), **optimizer** (AdamW has two values for each of those), **activations** (what each layer keeps for the way back), and **logits** (a score for every token of the vocabulary, three times over). Here is a 7B model by three methods.

# %% tags=["needed"]
from workshop_helpers import estimate_memory, shape_of

seven = shape_of("7B")
batch, length = 4, 2048

# %%
from workshop_helpers import memory_bars

how = {"rank": 8, "batch": batch, "length": length}
estimates = {m: estimate_memory(seven, m, **how) for m in ("full", "lora", "qlora")}
estimates["qlora, recomputed"] = estimate_memory(seven, "qlora", checkpointing=True, **how)
memory_bars(estimates, LANGUAGE)

# %%
from workshop_helpers import figures_table

table = [
    {"method": name} | {f"{term}_gb": size / 1e9 for term, size in one.terms.items()}
    for name, one in estimates.items()
]
figures_table(
    "17", [row | {"peak_gb": estimates[row["method"]].peak / 1e9} for row in table], LANGUAGE
)

# %% [markdown] lang="ja"
# LoRAで消えるのは、勾配とオプティマイザです。QLoRAは、さらに重みを小さくします。残るのは活性値で、行が長くバッチが大きければ、これがいちばん大きな項になります。再計算（gradient checkpointing）は、ここを削ります。図の黒い線が、同時に置かれる最大量です。勾配は活性値と入れ替わりに現れるので、全部の和にはなりません。
#
# ## ガイドの式
#
# この講座の元になったガイドにも、同じ目的の関数があります（引用）。重みは2バイト、勾配は4バイト、AdamWは8バイト。活性値は「バッチ × 長さ × モデルの大きさ（10億単位） × 0.1 ÷ 1024³」GB。そしてLoRAは重みと活性値だけ、QLoRAは重みの4分の1。計算してみます。

# %% [markdown] lang="en"
# LoRA does away with gradients and optimizer. QLoRA shrinks the weights as well. What stays are activations, and with long rows and large batches they are the largest term of all. Recomputing (gradient checkpointing) cuts these. The black mark in the figure is the most that is held at once: gradients come as activations go, so it is not the sum.
#
# ## The guide's formula
#
# The guide that this course grew from has a function for the same purpose (quoted): 2 bytes a weight, 4 for its gradient, 8 for AdamW. Activations are "batch × length × billions of parameters × 0.1 ÷ 1024³" GB. LoRA is weights and activations, QLoRA a quarter of the weights. Let us compute it.

# %%
billions = seven.parameters / 1e9
gib = 1024**3
activations = batch * length * billions * 0.1 / gib
weights = 2e9 * billions / gib
guide = {
    "full": weights + 12e9 * billions / gib + activations,
    "lora": weights + activations,
    "qlora": weights / 4 + activations,
}
print(f"activations by the guide: {activations:.6f} GiB")

# %%
table = [
    {
        "method": name,
        "guide_gib": guide[name],
        "ours_gib": estimates[name].peak / gib,
        "guide_of_ours_ratio": guide[name] / (estimates[name].peak / gib),
    }
    for name in guide
]
figures_table("17", table, LANGUAGE)

# %% [markdown] lang="ja"
# 活性値がほとんど0になります。10億で割ったあとに、さらにバイトからGiBへ割っているからで、桁が9つ違います。LoRAとQLoRAの見積もりが小さすぎるのは、このためです。同じガイドの表には、7BでFull 約80GB、LoRA 約30GB、QLoRA 約8GBとあります（引用）。式の答えとは合いません。実際に必要な量は、**バッチと長さを言わなければ決まりません**。表の8GBは、短い行と再計算なら届く数字です。
#
# もう一つ。ガイドは「65Bを48GB（24GB×2枚）で」と書いています（引用）。QLoRAの論文（arXiv:2305.14314）が述べているのは、48GBのGPU **1枚** です。
#
# ## ここで測る
#
# 式が数えるのはテンソルです。実際のプロセスには、行列計算の部品や断片も乗ります。まず小さなところから、いま測ってみます。`try_training` は、別のプロセスで1ステップだけ学習し、ライブラリの分を除いたピークを返します。

# %% [markdown] lang="en"
# Its activations are next to nothing. They were divided by a billion already, and are then divided by the bytes of a GiB once more: nine orders of magnitude. That is why its LoRA and QLoRA come out too small. The same guide's table says about 80 GB for full training of a 7B model, 30 GB for LoRA and 8 GB for QLoRA (quoted), which is not what its formula gives. What is needed **depends on batch and length**; the 8 GB can be reached with short rows and recomputing.
#
# One more: the guide says "65B in 48 GB (two of 24 GB)" (quoted). What the QLoRA paper (arXiv:2305.14314) reports is a **single** GPU of 48 GB.
#
# ## Measured here
#
# The formulas count tensors. A real process also carries kernels and fragments. We begin small, right now: `try_training` takes one step in a process of its own and returns the peak without the libraries.

# %%
from workshop_helpers import LoraRecipe, Shop, estimate_recipe, try_training

shop, recipe = Shop(LANGUAGE), LoraRecipe.for_model(MODEL).replace(epochs=1)
rows = sorted(shop.train, key=lambda row: -len(row.question + row.answer))[:32]
ways = {str(n): recipe.replace(batch_size=n) for n in (4, 32)}
tried = try_training(MODEL, rows, ways)

# %% tags=["nbval-ignore-output"]
from workshop_helpers import load_tokenizer

tokenizer = load_tokenizer(MODEL)
texts = [tokenizer.apply_chat_template(row.to_messages(), tokenize=False) for row in rows]
longest = max(len(ids) for ids in tokenizer(texts)["input_ids"])
checked = []
for name, trial in tried.items():
    found = estimate_recipe(MODEL, ways[name], longest, width=4).peak
    checked.append({"batch": name, "estimated_bytes": found, "measured_bytes": trial.bytes})
    checked[-1]["of_measured_ratio"] = found / trial.bytes
figures_table("17", checked, LANGUAGE)

# %% [markdown] lang="ja"
# モデルもバッチも小さいと、式は実測よりずっと小さく出ます。テンソル以外のものが何十MBもあるからです。バッチを大きくすると、テンソルが主役になり、差は縮みます。
#
# 次は、条件を変えて測った記録です。設定ごとに新しいプロセスを起こし、ライブラリが働き始めた後から数えて、2ステップのピークを取りました。行はすべて答えのトークンで、fp32です。

# %% [markdown] lang="en"
# With a small model and a small batch the formula comes out far below the measurement, since tens of megabytes are no tensors at all. With a larger batch the tensors lead, and the gap narrows.
#
# Next, a record of other settings. Each had a fresh process, and counted is the peak of two steps, from what was held once the libraries were at work. All tokens of the rows are answer, and all of it is in fp32.

# %%
from workshop_helpers import measured

measured("17_cost_and_memory", "peaks", LANGUAGE)

# %% [markdown] lang="ja"
# 10の設定すべてが15 %以内に入りました。いちばん外れたのはSmolLM2の全体学習で、見積もりは実測の89 %です。このモデルは埋め込みと出力の表が同じ行列なので、その勾配が二つ作られてから足されます。式にはその分がありません（差の大きさは合いますが、確かめたわけではありません）。再計算の行は、最初の式が外れたのを見て、式を直したあとの値です。計算し直す層とロジットが同時には置かれないことを、最初は見落としていました。
#
# すぐ上の、いま測った表のほうが外れるのは、`train` を丸ごと動かしていて、トークナイザーやデータの準備、使い終わって残ったメモリまで数えるからです。測り方にも落とし穴があります。読み込んだ重みがモデルのファイルに結び付いたままだと、そのファイルのページまで「使用中」に数えられます。記録の測定では、重みを自分のメモリに写してから測りました。

# %% [markdown] lang="en"
# All 10 settings are within 15 %. Farthest off is full training of SmolLM2, where the estimate is 89 % of the measurement. In that model the embedding and the output table are one matrix, whose gradient is made twice and then added up, and the formulas leave that out. (The size of the gap fits; it was not looked into further.) The line with recomputing is what the formula gives after it was mended: at first it was off, since it overlooked that the layer computed again and the logits are never held at once.
#
# The table measured just now is farther off, because it runs the whole of `train`: tokenizer, preparation of the data, and memory that was used and is still held are counted as well. There is a trap in measuring, too. Where weights stay tied to the model's file, the pages of that file count as memory in use. For the record they were copied out of the file first.

# %% [markdown] lang="ja"
# ## 入るバッチサイズ
#
# 式を逆に使えば、メモリに入る最大のバッチサイズが出ます。コマンドなら `workshop estimate 7B --method qlora --length 2048 --memory 24` です。2割は余らせておきましょう。式に入っていないものがあるからです。

# %% [markdown] lang="en"
# ## The batch that fits
#
# Turned round, the formulas give the largest batch that fits into a memory. As a command: `workshop estimate 7B --method qlora --length 2048 --memory 24`. Leave a fifth of the memory free for what no formula counts.

# %%
from workshop_helpers import largest_batch

table = []
for recomputed in (False, True):
    for method in ("lora", "qlora"):
        row = {"method": method, "recomputed": "yes" if recomputed else "no"}
        for tokens in (256, 1024, 4096):
            given = {"length": tokens, "checkpointing": recomputed}
            row[f"tokens_{tokens}"] = largest_batch(seven, 0.8 * 24e9, method, **given)
        table.append(row)
figures_table("17", table, LANGUAGE)

# %% [markdown] lang="ja"
# 24GBのGPUに7Bのモデルです。0は「1行も入らない」という意味です。GPUの数字は式から出したもので、ここでは測定していません。
#
# ## 時間
#
# 1トークンを学習するには、重み1つあたり何回の演算が要るでしょうか。行きに2回、戻りに2回、重み自身の勾配に2回。LoRAでは元の重みが凍っているので、最後の2回が要りません。だから**LoRAは4、全体の学習は6**です。公表された数字で確かめます。

# %% [markdown] lang="en"
# This is a 7B model on a GPU of 24 GB; 0 means that not even one row fits. Figures for GPUs come from the formulas: not measured here.
#
# ## Time
#
# How many operations does one token take for each weight? 2 on the way forward, 2 on the way back, 2 for the weight's own gradient. With LoRA the base is frozen and the last 2 are not needed, so it is **4 for LoRA and 6 for full training**. Published figures can tell whether that is so.

# %% [markdown] lang="ja"
# 引用：NVIDIAのNeMo AutoModelの性能表では、Llama-3-8BのLoRAがH100で毎秒12,473トークン、性能の40.6 %です。torchtune（現在は保守されていません）のREADMEでは、3BのLoRAがA100で毎秒8,210トークン、8.5GiBです。ガイドのコードには「7BはRTX 4090で毎秒約50,000トークン」とあります。性能の上限は、NVIDIAの資料で順に989、312、165 TFLOPSです。

# %% [markdown] lang="en"
# Quoted: NVIDIA's table for NeMo AutoModel has Llama-3-8B with LoRA on an H100 at 12,473 tokens a second, 40.6 % of what the card can do. The README of torchtune (no longer maintained) has LoRA of a 3B model on an A100 at 8,210 tokens a second and 8.5 GiB. The guide's code says "7B on an RTX 4090: about 50,000 tokens a second". What the cards can do at most, by NVIDIA's data sheets: 989, 312 and 165 TFLOPS.

# %% tags=["needed"]
published = [
    ("NeMo, 8B, H100", 8.03e9, 12_473, 989),
    ("torchtune, 3B, A100", 3.21e9, 8_210, 312),
    ("the guide, 7B, RTX 4090", 7e9, 50_000, 165),
]

# %%
table = [
    {"source": name, "speed": speed, "reached_share": 4 * parameters * speed / (tflops * 1e12)}
    for name, parameters, speed, tflops in published
]
figures_table("17", table, LANGUAGE)

# %% [markdown] lang="ja"
# 最初の行は、4という数がNVIDIAの言う40.6 %（引用）とぴったり合うことを示しています。2行目ももっともらしい値です。ガイドの数字は、カードの上限の何倍もの速さになってしまうので、ありえません。しかもガイドの式は、この50,000をさらに7で割っていて、コメントと一致しません。コードの横に書かれた実行結果（1.0時間、$0.44、引用）も、その式からは出てきません（演習2）。
#
# torchtuneの8.5GiBはどうでしょう（引用）。バッチも長さも、読んだ資料には書かれていません。3.2Bの重みを16ビットで置き、再計算しながら1行ずつ学習するとして、長さを変えて見積もります。

# %% [markdown] lang="en"
# The first line shows that 4 agrees with NVIDIA's own 40.6 % (quoted). The second is plausible, too. The guide's figure would be several times what the card can do at all, so it cannot be right. What is more, the guide's formula divides these 50,000 by 7 once more, which its comment does not say, and the result printed beside the code (1.0 hours, $0.44, quoted) is not what that formula gives (exercise 2).
#
# And torchtune's 8.5 GiB (quoted)? What we read gives neither batch nor length. Take 3.2B weights in 16 bits, one row at a time, recomputed, and let the length vary.

# %%
three = shape_of("3.2B")
for tokens in (512, 1024, 2048):
    found = estimate_memory(three, "lora", rank=8, batch=1, length=tokens, checkpointing=True)
    without = (found.peak - found.logits) / gib
    print(f"{tokens} tokens: {found.peak / gib:.1f} GiB, without logits {without:.1f} GiB")

# %% [markdown] lang="ja"
# 8.5GiBは、この幅の中に収まります（引用した値との比較で、ここでは測定していません）。ロジットの項が大きいのは、語彙が12万8千もあるからです。最近の学習ライブラリは、ロジットを少しずつ計算してこの項を消します。
#
# ## 費用
#
# 料金は毎月変わります。だから式の中には書かず、日付と出どころの付いた `data/prices.yaml` に置きました。自分の値に書き換えて使ってください。いま入っているのは、ガイドが2026年2月のものとして挙げている値で、ここで確かめたものではありません（引用）。

# %% [markdown] lang="en"
# The 8.5 GiB (quoted) lie within this range; not measured here. The logits weigh so much because there are 128,000 tokens in the vocabulary. Current training libraries compute them in portions, and the term goes away.
#
# ## Money
#
# Prices change every month. So they stand in no formula but in `data/prices.yaml`, with a date and a source, for you to edit. What is in it now are the prices that the guide gives for February 2026 (quoted); nobody checked them here.

# %%
from workshop_helpers import estimate_cost, load_prices, tokens_a_second

prices = load_prices()
print(prices.date, "|", prices.source)
plans = [("7B", 1000, "rtx-4090"), ("13B", 5000, "a100-40gb"), ("70B", 10_000, "a100-80gb")]
table = []
for size, count, name in plans:
    gpu, shape = prices.gpu(name), shape_of(size)
    speed = tokens_a_second(shape.parameters, "qlora", gpu.tflops)
    cost = estimate_cost(count, 500, 3, speed, gpu.per_hour)
    table.append({"size": size, "gpu": name, "rows": count})
    table[-1] |= {"hours": round(cost.seconds / 3600, 2), "usd": round(cost.price, 2)}
figures_table("17", table, LANGUAGE)

# %% [markdown] lang="ja"
# 1行500トークン、3エポックの計算です。ガイドは同じ三つを、1〜2時間で$0.88、4〜6時間で$9.00、A100を2枚で12〜24時間、$72.00としています（引用）。どちらも上限の3割5分で動いた場合の**計算**で、ここでは測定していません。4ビットの重みは毎回16ビットに戻してから計算するので、実際のQLoRAはもっと遅くなります。短い行を詰め物で埋めれば、その分も払います。借りる前に数分だけ走らせて、自分の毎秒トークン数を測るのが確実です。
#
# APIの料金も同じです。ガイドは、1,000件 × 500トークンで50万トークン、$1.50としています（引用）。学習の料金はエポックの回数だけ掛かるので、3エポックなら3倍です。なお、OpenAIは2026年5月7日から新しい利用者のファインチューニングを受け付けていません（引用、18章）。

# %% [markdown] lang="en"
# That is for 500 tokens a row and 3 epochs. For the same three the guide says 1 to 2 hours and $0.88, 4 to 6 hours and $9.00, and 12 to 24 hours on two A100 and $72.00 (quoted). Ours is a **calculation** for cards that reach 35 % of their best: not measured here. QLoRA is slower than that in practice, since 4-bit weights are made 16-bit again each time they are used, and rows padded to one length are paid for, too. Before you rent for hours, run for some minutes and measure your own tokens a second.
#
# Prices by API work alike. The guide (quoted) counts 1,000 rows × 500 tokens as half a million tokens, or $1.50. Training is billed for each epoch, so that 3 epochs cost three times as much. OpenAI has taken no new customers for fine-tuning since 2026-05-07 (quoted; see chapter 18).

# %% [markdown] lang="ja"
# ## 経験則
#
# - まず重みの項だけを計算します。16ビットなら10億個で2GB、4ビットなら約0.5GB。それが入らなければ、ほかの項を考えるまでもありません。
# - 次に活性値とロジット。バッチ × 長さに比例するので、足りなければまずバッチを減らし、`gradient_accumulation` で補います。次に再計算です。
# - 見積もりの上に2割の余裕を取ります。上の表では足りない分が15 %以内でしたが、そこにはライブラリもデータも、GPUの断片も入っていません。
# - 速さは、カードの上限の3分の1あたりから始めて、自分の数分の実測で置き換えます。
#
# 限界：測ったのはCPUの上の二つの小さなモデル、fp32、このコースの学習だけです。GPUではメモリの管理も、よく使われる学習ライブラリの取っておくものも違います。GPU、bf16、複数枚は、ここでは測定していません。

# %% [markdown] lang="en"
# ## Rule of thumb
#
# - First compute the weights alone: 2 GB for a billion of them in 16 bits, about 0.5 GB in 4 bits. If those do not fit, nothing else matters.
# - Then activations and logits. They grow with batch × length, so make the batch smaller first, with `gradient_accumulation` to make up for it, and recompute next.
# - Leave a fifth above the estimate. In the table above it falls short by 15 % at most, but that holds no libraries, no data and no fragments of a GPU's memory.
# - For speed begin with a third of what the card can do, and replace that by what some minutes on it measure.
#
# The limits: measured were two small models on a CPU, in fp32, with this course's trainer. On a GPU memory is managed otherwise, and other trainers keep other things. GPUs, bf16 and several cards: not measured here.

# %% [markdown] lang="ja"
# ## 演習
#
# `answer` に答えを書いて実行し、その下のセルで確かめます。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer into `answer`, run the cell, and check it with the one below.

# %% tags=["needed"]
from workshop_helpers import Exercises

exercises = Exercises("17", LANGUAGE)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習1：アダプターの大きさ** 幅4096、32層のモデルで、各層の `q_proj` と `v_proj` にランク8のLoRAを付けます（どちらも4096×4096の行列です）。学習する重みは全部でいくつですか。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 1: the size of an adapter** A model is 4096 wide and has 32 layers. `q_proj` and `v_proj` of every layer get LoRA of rank 8 (both are matrices of 4096 by 4096). How many weights learn in all?

# %% tags=["exercise"]
width, layers, rank = 4096, 32, 8
answer = ...

# %% tags=["solution"]
width, layers, rank = 4096, 32, 8
answer = layers * 2 * rank * (width + width)
answer

# %% tags=["check"]
right = 32 * 2 * 8 * (4096 + 4096)
pitfalls = {right // 2: "adapter-half", 32 * 2 * 4096**2: "adapter-whole"}
exercises.check("adapter", answer, right, pitfalls=pitfalls)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習2：ガイドの計算を確かめる** ガイドの式では、毎秒のトークン数は (50,000 ÷ 7) × (7 ÷ 10億単位の大きさ) です（引用）。7Bのモデルで180万トークンを学習すると、この式では何時間になりますか。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 2: check the guide's sum** By the guide's formula (quoted), tokens a second are (50,000 ÷ 7) × (7 ÷ billions of parameters). For a 7B model and 1.8 million tokens, how many hours does it give?

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
speed = (50_000 / 7) * (7 / 7)
answer = 1_800_000 / speed / 3600
answer

# %% tags=["check"]
right = 1_800_000 / (50_000 / 7) / 3600
pitfalls = {1.0: "hours-printed", 1_800_000 / 50_000 / 3600: "hours-comment"}
exercises.check("hours", answer, right, within=0.02, pitfalls=pitfalls)

# %% [markdown] lang="ja"
# ## まとめ
#
# - メモリは六つの項の和で、同時に置かれるのは、そのうち勾配か活性値のどちらかまでです。
# - LoRAが消すのは勾配とオプティマイザ、QLoRAが小さくするのは重み、再計算が削るのは活性値です。
# - 時間は「トークン × 重みの数 × 4（LoRA）か6（全体）」を、カードが実際に出せる速さで割ります。
# - 料金は日付と出どころのあるファイルに置き、借りる日に書き換えます。

# %% [markdown] lang="en"
# ## In short
#
# - Memory is the sum of six terms, of which either gradients or activations are held at once.
# - LoRA does away with gradients and optimizer, QLoRA shrinks the weights, recomputing cuts the activations.
# - Time is tokens × weights × 4 (LoRA) or 6 (full), over the speed that the card really reaches.
# - Prices stand in a file with a date and a source, and are looked up on the day you rent.

# %% tags=["closing"]
peaks = {name: one.peak for name, one in estimates.items()}
assert peaks["full"] > peaks["lora"] > peaks["qlora"] > peaks["qlora, recomputed"]
assert estimates["qlora"].activations > estimates["qlora"].weights
assert activations < 1e-4, "the guide's activations are next to nothing"
shares = [4 * parameters * speed / (tflops * 1e12) for _, parameters, speed, tflops in published]
assert abs(shares[0] - 0.406) < 0.01 and shares[2] > 1
assert max(guide["lora"], guide["qlora"]) < 0.5 * estimates["lora"].peak / gib
if MODEL == "mame":
    ratios = [row["estimated_bytes"] / row["measured_bytes"] for row in checked]
    assert ratios[0] < ratios[1], "the more tensors, the nearer the estimate"

# %% [markdown] lang="ja"
# 次の `18_cloud_and_hub` では、学習を人のマシンに任せます。

# %% [markdown] lang="en"
# In `18_cloud_and_hub`, next, somebody else's machine does the training.

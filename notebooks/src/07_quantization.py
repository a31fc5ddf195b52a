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
# # 07 量子化する
#
# F16のモデルは、重み1つに16ビットを使っています。これを8ビット、4ビット、2ビット台まで減らすのが**量子化**です。ファイルは小さくなり、必要なメモリも減ります。では、賢さはどこまで残るのでしょうか。この章では、同じモデルを4つの大きさで用意し、同じ試験を受けさせます。
#
# | | |
# | --- | --- |
# | 目標 | 量子化が重みに何をするのかを自分の目で見て、大きさと品質を測って選ぶ |
# | 時間 | 発表では3分、ひとりで20分 |
# | 使うもの | 06章のF16のGGUF（なければここで作ります） |
# | できるもの | Q8_0、Q4_K_M、Q2_KのGGUFと、4つを比べた表 |

# %% [markdown] lang="en"
# # 07 Quantization
#
# An F16 model spends 16 bits on every weight. **Quantization** makes do with 8, with 4, with little more than 2. The file shrinks and so does the memory it needs. But how much of the model survives? In this chapter one model comes in four sizes, and all of them sit the same exam.
#
# | | |
# | --- | --- |
# | Goal | See with your own eyes what quantization does to weights, and choose by what was measured |
# | Minutes | 3 in the talk, 20 on your own |
# | Comes in | The F16 GGUF of chapter 06 (made here if it is not there) |
# | Goes out | GGUFs in Q8_0, Q4_K_M and Q2_K, and a table that compares all four |

# %% [markdown] lang="ja"
# 変えられるのは、モデル、学習に使う行の数、言語の3つだけです。

# %% [markdown] lang="en"
# The model, the number of training rows and the language: there is nothing else to change.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 100
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# ここまでの道のりを一度に呼び出します。学習、マージ、変換。すでに作ってあるものは、そのまま返ってきます。

# %% [markdown] lang="en"
# The whole way so far in one cell: train, merge, convert. Whatever is there already comes straight back.

# %% tags=["needed"]
from workshop_helpers import LoraRecipe, Shop, convert, merge, runs_folder, train

shop, runs = Shop(LANGUAGE), runs_folder(MODEL, LANGUAGE)
recipe = LoraRecipe.for_model(MODEL)
tuned = train(MODEL, shop.train[:ROWS], runs / f"tuned-{ROWS}", recipe)
merged = merge(tuned.adapter, runs / f"model-{ROWS}")
f16 = convert(merged.model, runs / f"model-{ROWS}-F16.gguf")

# %% [markdown] lang="ja"
# ## 量子化の仕組み
#
# いちばん素朴な量子化はこうです。重みを**ブロック**に分け、ブロックごとに目盛りの幅（スケール）を1つ決めて、それぞれの重みをいちばん近い目盛りに置き換えます。ビット数が目盛りの数を決めます。本物の重み32個で試してみましょう。表示されるのは、置き換えによる平均のずれです。

# %% [markdown] lang="en"
# ## How it works
#
# The plainest form goes like this. Cut the weights into **blocks**, choose one step width (the scale) for each block, and move every weight to the nearest step. The number of bits says how many steps there are. Let us try it on 32 real weights; what is printed is how far they move on average.

# %% tags=["needed", "nbval-ignore-output"]
import numpy as np

from workshop_helpers import read_weights

weights = np.array(read_weights(f16.path, "blk.0.ffn_gate.weight", 0, 32))


def on_steps(weights, bits):
    levels = 2 ** (bits - 1) - 1
    scale = np.abs(weights).max() / levels
    return scale * np.round(weights / scale)


for bits in (8, 4, 2):
    print(f"{bits} bit: ±{np.abs(on_steps(weights, bits) - weights).mean():.4f}")

# %% [markdown] lang="ja"
# ビットが減るほど、ずれは大きくなります。llama.cppの形式も、考え方はこれと同じです。
#
# ## 3種類に量子化する
#
# `quantize` は、llama.cppの量子化をそのまま呼び出します。コマンドで書けば `llama-quantize model-F16.gguf model-Q4_K_M.gguf Q4_K_M` です。名前の数字は目安なので、実際に重み1つあたり何ビット使ったかを確かめます。

# %% [markdown] lang="en"
# The fewer bits, the farther the weights move. llama.cpp's types rest on the same idea.
#
# ## Quantize to three types
#
# `quantize` calls llama.cpp's own quantizer. As a command it would be `llama-quantize model-F16.gguf model-Q4_K_M.gguf Q4_K_M`. The digit in a name is only a hint, so look at the bits that each weight really takes.

# %% tags=["needed", "stage:three-types"]
from workshop_helpers import quantize

types = ("Q8_0", "Q4_K_M", "Q2_K")
files = [f16, *(quantize(f16.path, kind) for kind in types)]
for file in files:
    size, bits = file.size_bytes / 1e6, file.bits_per_weight
    print(f"{file.type:7} {size:6.2f} MB  {bits:5.2f} bits/weight  {file.tensors}")

# %% [markdown] lang="ja"
# 右の列は、行列がどの形式で保存されたかの内訳です。Q4_K_MもQ2_Kも、1つの形式の名前ではなく、大事な行列に多めのビットを割り当てた**組み合わせ**の名前です。K系の形式は行の長さが256で割り切れないと使えず、そうでない行列は別の形式になります。`mame` はそうならない大きさに作ってあります。
#
# ## 重みを顕微鏡でのぞく
#
# では、本物の重みを1ブロックだけ取り出してみます。元の値、保存される整数、復元した値が並びます。ファイルを切り替えると、同じ場所の重みが別の形式でどうなるかが見えます。

# %% [markdown] lang="en"
# On the right is what became of the matrices. Neither Q4_K_M nor Q2_K names one type: each is a **mixture** that gives more bits to the matrices that matter more. K-types need rows whose length divides by 256; other matrices fall back to another type, and `mame` was built so that none has to.
#
# ## Weights under the microscope
#
# Now take one single block of real weights: the original values, the integers that are stored, and what comes back. Switch the file to see what another type makes of the same place.

# %% tags=["nbval-ignore-output", "stage:microscope"]
from workshop_helpers import microscope

microscope(files, LANGUAGE)

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：保存されるのは整数とスケールだけです。元の重みはもう残っていません。
# - **指す**：マスの中の3つの数（元の重み、整数、復元した値）。次にファイルをQ8_0、Q2_Kと切り替えて、いちばん下の誤差の棒を見せます。
# - **遅れたら飛ばす**：グループとブロックのスライダー。ファイルの切り替えだけ見せます。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: all that is stored are integers and scales. The original weights are gone.
# - **Point at**: the three numbers in a box (original, integer, what comes back). Then switch to Q8_0 and Q2_K, and show the bars of the error at the bottom.
# - **If late, skip**: the sliders for group and block. Switching the file is enough.

# %% [markdown] lang="ja"
# Q8_0は、32個の重みごとにスケールを1つ持つだけの、素朴な作りです。K系では256個が1ブロックで、その中の小さなグループごとに目盛りの幅があり、その幅自体も整数で保存されます。目盛りの始まりをずらす値を持つ形式もあります。スケールのためのビットも要るので、「4ビット」の形式でも重み1つあたり4ビットちょうどにはなりません。
#
# ## 3Bのモデルなら
#
# 講演で紹介された3Bモデルの大きさと比べてみます。ここで測った「重み1つあたりのビット数」に、3Bのモデルの重みの数を掛けると、だいたい同じ大きさになるでしょうか。

# %% [markdown] lang="en"
# Q8_0 is plain: one scale for each 32 weights. In the K-types 256 weights make a block, each small group in it has a step of its own, and the steps are stored as integers, too. Some types can also shift where their steps begin. Since the scales need bits as well, a "4-bit" type never comes out at exactly 4 bits for each weight.
#
# ## And a 3B model?
#
# The talk gives file sizes for a 3B model. Take the bits per weight measured here, multiply by the weights of a 3B model: do we land near the talk's figures?

# %%
from workshop_helpers import CATALOGUE

talk = {"F16": 6, "Q8_0": 3.2, "Q4_K_M": 1.8, "Q2_K": 1.1}
for file in files:
    size = CATALOGUE["qwen2.5-3b"].parameters * file.bits_per_weight / 8 / 1e9
    print(f"{file.type:7} {size:4.1f} GB  talk: {talk.get(file.type)} GB")

# %% [markdown] lang="ja"
# ぴったり同じにならないのは、行列ごとに割り当てるビット数が違い、その割合がモデルの形によって変わるからです。小さなモデルほど、多めのビットをもらう語彙の表（埋め込み）の割合が大きくなります。
#
# ## 同じ試験を受けさせる
#
# 評価用の質問での再現率に加えて、もっと敏感なものさしも使います。学習に使わなかった行の模範解答について、
#
# - **パープレキシティ**：模範解答をどれだけ意外に感じたか。小さいほど良い
# - **F16とのKLダイバージェンス**：次のトークンの確率分布が、F16からどれだけずれたか。0なら同じ
# - **最有力トークンの一致率**：いちばん確率の高いトークンがF16と同じだった割合

# %% [markdown] lang="en"
# They do not agree exactly: not every matrix gets the same number of bits, and how much of a model each kind of matrix makes up depends on the model. The smaller a model, the larger the share of its vocabulary table (the embedding), which gets more bits.
#
# ## The same exam for all
#
# Besides fact recall on the held-out questions there are finer instruments. On the answers of rows that were not trained on:
#
# - **perplexity**: how surprised the model is by the right answer; smaller is better
# - **KL divergence to F16**: how far the probabilities of the next token moved away from F16's; 0 means not at all
# - **same top token**: how often the likeliest token is the one F16 would choose

# %%
from workshop_helpers import quantization_table

held_out = shop.train[-100:]
table = quantization_table(f16.path, types, shop.questions, held_out_conversations=held_out)

# %% tags=["nbval-ignore-output", "timed", "stage:exam"]
table

# %% [markdown] lang="ja"
# 速さは、4つの形式を順に替えながら何度か測り、その中央値を載せています。≈ の付いた形式どうしは、測った値の幅が重なっているので、**差は測れませんでした**。ほかのプログラムが動いていれば変わりますし、環境が違えば順番まで入れ替わることもあります。大きさや品質の数字ほど、当てにしないでください。

# %% [markdown] lang="en"
# The speeds are medians of several passes that take the four types by turns. Where types are marked ≈, the ranges of their passes overlap: **no difference was measured**. Another program at work changes them, and another machine may even change their order, so do not lean on them as you would on size and quality.

# %% tags=["nbval-ignore-output"]
table.plot()

# %% [markdown] lang="ja"
# 左の図と右の図を見比べてください。しっかり覚えた事実は、多少丸めても崩れにくいものです。だから再現率だけを見ると「劣化なし」と言いたくなります。KLダイバージェンスは、答えの文字が変わる前から動き始めます。
#
# ## 選ぶ、そして同じ質問をしてみる
#
# 数字の次は、実際の答えです。形式を選び、使えるメモリを動かし、質問を替えてみてください。F16の答えと、選んだ形式の答えが並びます。モデルの欄では、もっと大きなモデルならどの形式が入るかも見積もれます。

# %% [markdown] lang="en"
# Compare the two panels. A well-learned fact survives a good deal of rounding, so recall alone tempts you to say "no loss at all". KL divergence starts to move long before a single letter of the answer does.
#
# ## Choose, and ask the same question
#
# After the figures, the answers themselves. Choose a type, move the memory there is, change the question: the answer of F16 stands beside the one of your type. The model field estimates which types of a larger model would fit.

# %% tags=["nbval-ignore-output", "stage:picker"]
from workshop_helpers import pick_quantization

pick_quantization(table)

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**：講演の問いは「量子化で品質はどの程度落ちるか」です。答えは、このモデルとこの質問で測ったこの表です。
# - **指す**：サイズの棒が縮むにつれて、KLの棒が伸びていくところ。そして、F16では合っているのにQ2_Kで崩れる答え。
# - **遅れたら飛ばす**：メモリとモデルの欄。形式を1度切り替えて、答えの違いだけ見せます。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: the talk asks how much quality quantization costs. The answer is this table, measured on this model and these questions.
# - **Point at**: the bars of the size getting shorter while those of KL grow, and an answer that F16 gets right and Q2_K does not.
# - **If late, skip**: memory and model. Switch the type once and show how the answer changes.

# %% [markdown] lang="ja"
# F16と一字一句同じ答えだった割合も数えておきます。

# %% [markdown] lang="en"
# And how many answers are the same as F16's, letter for letter?

# %% tags=["nbval-ignore-output"]
reference = table.rows[0].answers
for row in table.rows:
    same = sum(one == other for one, other in zip(row.answers, reference, strict=True))
    print(f"{row.type:7} {same} / {len(reference)}")

# %% [markdown] lang="ja"
# ## どれを選ぶか
#
# 講演では、本番環境にはQ4_K_M、品質を優先するならQ8_0、メモリが足りないときだけQ2_K、という選び方が勧められています。「Q4_K_Mなら実用上問題ない」とも言われます。上の表は、このモデルとこのデータでそれが当てはまるかどうかの答えです。モデルが変われば結果も変わります。大事なのは表を信じることではなく、**自分のモデルで同じ表を作ること**です。

# %% [markdown] lang="en"
# ## Which one to take
#
# The talk recommends Q4_K_M for production, Q8_0 where quality comes first, and Q2_K only when memory leaves no choice; Q4_K_M, it says, is "no problem in practice". The table above tells whether that holds for this model and this data. Another model will give another table. So do not take this table's word for it: **make the same table for your own model**.

# %% [markdown] lang="ja"
# ## 演習
#
# `answer` に答えを入れて実行すると、下のセルが答え合わせをして、理由も教えてくれます。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer into `answer` and run the cell; the one below says whether it is right, and why.

# %% tags=["needed"]
from workshop_helpers import Exercises, read_block

exercises = Exercises("07", LANGUAGE)
small = next(file for file in files if file.type == "Q4_K_M")
block = read_block(small.path, "blk.0.ffn_gate.weight", 0)
print(f"{block.type}: {len(block.integers)} weights, {block.group} in a group")
print(f"bytes: {block.fields}")

# %% [markdown] lang="ja" tags=["exercise"]
# **演習1：本当は何ビットか** 上に表示されたブロックは、重み1つあたり何ビットを使っていますか。`block.fields` のバイト数から計算してください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 1: how many bits, really?** How many bits does the block above spend on each weight? Work it out from the bytes in `block.fields`.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
answer = 8 * sum(block.fields.values()) / len(block.integers)
answer

# %% tags=["check"]
integers_only = 8 * (block.fields["quants"] + block.fields.get("high", 0)) / len(block.integers)
right = block.bits_per_weight
exercises.check("bits", answer, right, pitfalls={integers_only: "bits-integers"})

# %% [markdown] lang="ja" tags=["exercise"]
# **演習2：手で復元する** `place` 番目の重みを、整数と目盛りの幅（`block.steps`）、ずらし（`block.offsets`）から復元してください。幅とずらしは、グループごとに1つずつあります。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 2: restore a weight by hand** Restore the weight at `place` from its integer, the step (`block.steps`) and the offset (`block.offsets`). There is one step and one offset for each group.

# %% tags=["exercise", "nbval-ignore-output"]
place = len(block.integers) - 3
print(block.integers[place])
answer = ...

# %% tags=["solution", "nbval-ignore-output"]
place = len(block.integers) - 3
group = place // block.group
answer = block.steps[group] * block.integers[place] + block.offsets[group]
answer

# %% tags=["check"]
without_offset = block.steps[place // block.group] * block.integers[place]
first_group = block.steps[0] * block.integers[place] + block.offsets[0]
pitfalls = {without_offset: "restore-offset", first_group: "restore-group"}
exercises.check("restore", answer, block.values[place], within=1e-5, pitfalls=pitfalls)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習3：外れ値が1つあると** 32個の重みのうち1つだけが、飛び抜けて大きくなりました。4ビットで `on_steps` を使うと、**残りの31個**の平均のずれは、元の何倍になりますか。
#
# まず予想してから計算してください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 3: one outlier** One of the 32 weights became far larger than the others. With `on_steps` at 4 bits, how many times as large is the mean error of the **other 31** now?
#
# Guess first, then compute.

# %% tags=["exercise"]
spoiled = weights.copy()
spoiled[0] = 10 * np.abs(weights).max()
answer = ...

# %% tags=["solution", "nbval-ignore-output"]
spoiled = weights.copy()
spoiled[0] = 10 * np.abs(weights).max()
before = np.abs(on_steps(weights, 4) - weights)[1:].mean()
after = np.abs(on_steps(spoiled, 4) - spoiled)[1:].mean()
answer = float(after / before)
answer

# %% tags=["check"]
error = [np.abs(on_steps(one, 4) - one)[1:].mean() for one in (weights, spoiled)]
pitfalls = {1.0: "outlier-none", error[0] / error[1]: "outlier-upside-down"}
exercises.check("outlier", answer, error[1] / error[0], within=0.01, pitfalls=pitfalls)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習4：メモリに入れる** 重みに2.5GBまで使えるとします。`files` の4つの形式のうち、`qwen2.5-3b` の大きさのモデルが入り、かつ重み1つあたりのビット数がいちばん多いのはどれですか。名前で答えてください。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 4: make it fit** You have 2.5 GB for weights. Which of the four types in `files` fits a model of the size of `qwen2.5-3b`, with as many bits per weight as possible? Answer with its name.

# %% tags=["exercise"]
from workshop_helpers import CATALOGUE

parameters = CATALOGUE["qwen2.5-3b"].parameters
answer = ...

# %% tags=["solution"]
from workshop_helpers import CATALOGUE

parameters = CATALOGUE["qwen2.5-3b"].parameters
fitting = [file for file in files if parameters * file.bits_per_weight / 8 <= 2.5e9]
answer = fitting[0].type
answer

# %% tags=["check"]
sizes = {file.type: parameters * file.bits_per_weight / 8 for file in files}
right, *smaller = [kind for kind, size in sizes.items() if size <= 2.5e9]
exercises.check("fits", answer, right, pitfalls=dict.fromkeys(smaller, "fits-smaller"))

# %% [markdown] lang="ja"
# ## 確認クイズ

# %% [markdown] lang="en"
# ## Self-check

# %% [markdown] lang="ja" tags=["quiz"]
# **1.** なぜ行列全体ではなく、小さなブロックごとにスケールを決めるのでしょうか。
#
# <details><summary>答え</summary>
#
# スケールは、いちばん大きな重みに合わせて決まります。飛び抜けて大きな重みが1つあると、同じスケールを使う重みはみな粗い目盛りに乗せられます。ブロックが小さければ、その影響はブロックの中だけで済みます。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **1.** Why is there a scale for each small block, and not one for the whole matrix?
#
# <details><summary>Answer</summary>
#
# The largest weight sets the scale. One outlier forces coarse steps on all the weights that share its scale; with small blocks, the damage stays within one of them.
#
# </details>

# %% [markdown] lang="ja" tags=["quiz"]
# **2.** Q2_KのファイルからQ8_0のファイルを作れば、品質は戻るでしょうか。
#
# <details><summary>答え</summary>
#
# 戻りません。元の重みはもうどこにも残っていないからです。大きくて品質の低いファイルができるだけです。`quantize` は、量子化済みのファイルを受け付けません。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **2.** Does quality come back if a Q8_0 file is made from a Q2_K file?
#
# <details><summary>Answer</summary>
#
# No. The original weights are nowhere any more; the result is a file that is large and bad. `quantize` refuses files that are quantized already.
#
# </details>

# %% [markdown] lang="ja" tags=["quiz"]
# **3.** 再現率がF16と同じなら、その形式は「劣化なし」と言えますか。
#
# <details><summary>答え</summary>
#
# 言えません。この質問で差が出なかっただけです。KLダイバージェンスは、答えが変わる前から確率のずれを捉えます。質問を増やせば、そのずれが答えに現れるかもしれません。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **3.** Recall is the same as that of F16. Is the type "without loss"?
#
# <details><summary>Answer</summary>
#
# No. These questions showed no difference, and that is all. KL divergence sees probabilities shift before answers change; with more questions, the shift may show in an answer.
#
# </details>

# %% [markdown] lang="ja" tags=["quiz"]
# **4.** 速さの列で2つの形式に ≈ が付いていました。中央値の大きいほうが速いと言えますか。
#
# <details><summary>答え</summary>
#
# 言えません。何度か測った値の幅が重なっているので、次に測れば順番が入れ替わるかもしれません。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **4.** Two types are marked ≈ in a column of speeds. Is the one with the larger median faster?
#
# <details><summary>Answer</summary>
#
# That was not measured. The ranges of their passes overlap, so the next run may turn them round.
#
# </details>

# %% [markdown] lang="ja"
# ## うまくいかないと分かっていること
#
# - 行の長さが256で割り切れないモデルでは、K系の形式が使えない行列が出ます。そのときは名前より大きなファイルになり、`fallback` に理由が残ります。
# - このモデルは小さく、重みがプロセッサーのキャッシュに収まります。量子化で速くなるかどうかは、大きなモデルで測らなければ分かりません。

# %% [markdown] lang="en"
# ## Known to fail
#
# - In a model whose rows do not divide by 256, some matrices cannot take a K-type. The file is then larger than its name suggests, and `fallback` says why.
# - A model this small fits into the processor's cache. Whether quantization makes a model faster has to be measured on a large one.

# %% [markdown] lang="ja"
# ## まとめ
#
# - 量子化は、重みを粗い目盛りに置き換えてファイルを小さくします。元には戻せないので、F16は取っておきます。
# - 名前の数字は目安です。スケールにもビットが要り、行列ごとに形式も違います。本当のビット数と `fallback` を確かめます。
# - 再現率が同じでも、KLダイバージェンスは違います。両方を見て決めます。

# %% [markdown] lang="en"
# ## In short
#
# - Quantization moves weights onto a coarse grid to make the file small. There is no way back, so keep the F16.
# - The digit in the name is a hint: scales need bits, too, and not all matrices have the same type. Look at the true bits per weight, and at `fallback`.
# - Where recall is equal, KL divergence need not be. Look at both before you decide.

# %% tags=["closing"]
sizes = [file.size_bytes for file in files]
assert sizes == sorted(sizes, reverse=True), "fewer bits, smaller files"
assert all(len(file.tensors) > 1 for file in files), "each file is a mixture of types"
assert block.bits_per_weight > integers_only, "the scales need bits, too"
assert ROWS + len(held_out) <= len(shop.train), "the losses are of rows that were not trained on"
assert table.rows[0].kl_to_f16 == 0 and table.rows[0].same_top_token == 1
if MODEL == "mame":
    assert not any(file.fallback for file in files)
    divergences = [row.kl_to_f16 for row in table.rows]
    assert divergences == sorted(divergences), "fewer bits, farther from F16"

# %% [markdown] lang="ja"
# 次の章 `08_run_on_ollama` では、こうして作ったファイルをOllamaに載せ、名前を付けて会話します。

# %% [markdown] lang="en"
# Next, in `08_run_on_ollama`, these files get a name in Ollama, and we talk to them.

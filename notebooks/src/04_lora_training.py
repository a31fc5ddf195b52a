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
# # 04 LoRAで学習する
#
# 架空のお店の問い合わせ対応を、小さな言語モデルに教えてみます。使うのは質問と回答の組を10行、それから100行。モデルの重みを実際に書き換えるので、これはプロンプトの工夫ではなく、本物のファインチューニングです。
#
# この章で見ること：
#
# - 学習データの1行は、モデルにはどんなトークンの列に見えているのか
# - LoRAは、元の重みに何を足しているのか
# - 10行と100行で、学習の進み方はどう違うのか
#
# 同梱のモデル `mame`（豆）を使えば、GPUもネットワークも要りません。

# %% [markdown] lang="en"
# # 04 Training with LoRA
#
# We are going to teach a small language model how an imaginary shop answers its customers, first from 10 rows of question and answer, then from 100. The model's weights really change, so this is not prompting with extra steps: it is fine-tuning.
#
# In this chapter:
#
# - what one training row looks like to the model, token by token
# - what exactly LoRA adds to the weights that are already there
# - how training goes with 10 rows, and how with 100
#
# With the bundled model `mame` (豆, "bean") you need neither a GPU nor a network.

# %% [markdown] lang="ja"
# ## パラメータ
#
# 変えてよいのはこのセルだけです。`MODEL` には `workshop models` で一覧できる名前か、モデルのフォルダを書きます。GPUやMacがあれば `"qwen2.5-1.5b"` などに変えても、この後のセルはそのまま動きます。作ったものは `RUNS` のフォルダに置かれ、同じ材料でもう一度実行したときは、作り直さずにそれを使います。

# %% [markdown] lang="en"
# ## Parameters
#
# This is the one cell to change. `MODEL` is a name that `workshop models` lists, or a model folder; on a GPU or a Mac, put `"qwen2.5-1.5b"` there and the cells below stay as they are. Whatever gets made goes into the folder `RUNS`. Run the notebook again with the same ingredients and it is picked up from there instead of being made anew.

# %% tags=["parameters"]
MODEL = "mame"
LANGUAGE = "ja"
RUNS = "runs"

# %% [markdown] lang="ja"
# 計算に使う装置と数値の形式は自動で選ばれます。選んだ理由も一緒に表示されます。

# %% [markdown] lang="en"
# Where to compute, and in which number format, is chosen for you. The reasons come with the choice.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import choose_device

device = choose_device()
print(device)

# %% [markdown] lang="ja"
# ## データを眺める
#
# まずはデータです。学習がうまくいくかどうかは、たいていここで決まります。1行が1つのJSONで、`instruction` が質問、`output` が教えたい回答です。

# %% [markdown] lang="en"
# ## Look at the data first
#
# Whether a training works out is mostly decided here. Each line of the file is one JSON object: `instruction` is the question, `output` the answer we would like to hear.

# %%
from workshop_helpers import Shop

shop = Shop(LANGUAGE)
file = shop.file("train")
print(file.read_text(encoding="utf-8").splitlines()[0])

# %% [markdown] lang="ja"
# 読み込むときに、壊れたJSON、空の回答、重複した行などが調べられます。問題があれば、ファイル名と行番号つきで知らせてくれます。

# %% [markdown] lang="en"
# Reading the file checks it as well: broken JSON, empty answers or repeated rows are reported with file name and line number.

# %%
from workshop_helpers import read_conversations

rows = read_conversations(file)
print(len(rows), "\n")
for row in rows[:4]:
    print(f"Q: {row.question}\nA: {row.answer}\n")

# %% [markdown] lang="ja"
# 「14日以内」「500円」のような**具体的な数字やルール**が入っていることに注目してください。知ってほしいことは、データの中に書いてなければ学びようがありません。
#
# ## モデルに見える形：チャットテンプレート
#
# モデルは「質問」や「回答」という欄を知りません。知っているのはトークンの列だけです。そこで、誰の発言がどこから始まり、どこで終わるのかを、特別なトークンで書き表します。この書式が**チャットテンプレート**で、モデルごとに決まっています。

# %% [markdown] lang="en"
# Notice that the answers hold **exact figures and rules**: days, prices, deadlines. What is not in the data cannot be learned from it.
#
# ## What the model sees: the chat template
#
# A model knows nothing of "question" and "answer" fields. All it ever gets is a row of tokens, so special tokens have to say who is speaking, where a turn begins and where it ends. This notation is the **chat template**, and every chat model comes with its own.

# %%
from workshop_helpers import load_tokenizer

tokenizer = load_tokenizer(MODEL)
print(tokenizer.apply_chat_template(rows[0].to_messages(), tokenize=False))

# %% [markdown] lang="ja"
# 同じ行をトークンに分けてみます。緑が、学習で**損失（loss）を数えるトークン**です。質問の部分は読ませるだけで、当てさせるのは回答と、回答の終わりを示すトークンだけ。これを completion-only loss といいます。終わりのトークンにも損失があるので、モデルは「いつ話し終えるか」も一緒に学びます。

# %% [markdown] lang="en"
# Here is the same row cut into tokens. The green ones **carry loss**: the model reads the question, but it is only asked to predict the answer and the token that ends it. This is called completion-only loss. Because the ending counts too, the model also learns when to stop talking.

# %%
from workshop_helpers import show_tokens

show_tokens(tokenizer, rows[0])

# %% [markdown] lang="ja"
# ## LoRAは何を足すのか
#
# モデルの中身は、大きな行列 $W$ の集まりです。全部を書き換える代わりに、LoRAは $W$ を凍らせておき、細長い行列を2つ掛けたものを足します。
#
# $$W' = W + \frac{\alpha}{r}\, B A$$
#
# $A$ は $r$ 行、$B$ は $r$ 列しかありません。この $r$ が**ランク（rank）**で、足せる変化の細かさを決めます。**alpha** は、足すときの強さです。学習するのは $A$ と $B$ だけ。$B$ はゼロから始めるので、学習前のモデルは元のモデルとまったく同じように答えます。

# %% [markdown] lang="en"
# ## What LoRA adds
#
# Inside, a model is a collection of large matrices $W$. Instead of rewriting all of them, LoRA freezes $W$ and adds the product of two thin ones:
#
# $$W' = W + \frac{\alpha}{r}\, B A$$
#
# $A$ has only $r$ rows and $B$ only $r$ columns. This $r$ is the **rank**: how fine-grained the change can be. **Alpha** says how strongly it is added. Only $A$ and $B$ are trained. $B$ starts out as zeros, so before the first step the model answers exactly as it always did.

# %%
import torch

rank, alpha = 8, 16
W = torch.randn(256, 768)
A, B = torch.randn(rank, 768), torch.zeros(256, rank)
adapted = W + alpha / rank * (B @ A)

print(f"{W.numel() = :,}")
print(f"{A.numel() + B.numel() = :,}")
print(f"{torch.equal(adapted, W) = }")

# %% [markdown] lang="ja"
# 実際のモデルを見てみましょう。まずは層を1つ、中まで。`Linear` と書かれているのが、LoRAを付けられる行列です。

# %% [markdown] lang="en"
# Now the real model. First a look inside one of its layers: everything called `Linear` is a matrix that can get a LoRA.

# %%
from workshop_helpers import load_model

model = load_model(MODEL, device)
print(model.model.layers[0])

# %% [markdown] lang="ja"
# どの行列にLoRAを付けるかは、学習の設定 `LoraRecipe` が決めます。`mame` の設定が選ぶのはMLPの3つ（`gate_proj`、`up_proj`、`down_proj`）だけです。プロンプトのどこを見るかを決める注意機構（`self_attn`）には付けません。店の事実を覚えるのに足り、プロンプトから事実を読み取る力が残りやすかったからです（results/README.ja.mdの「…注意機構の行列にも付ける」の行が、その測定値です）。
#
# 学習するパラメータを、ランクごとに数えます。行列1つにつき $r \times (\text{入力} + \text{出力})$ 個です。

# %% [markdown] lang="en"
# Which matrices get a LoRA is up to the training settings, the `LoraRecipe`. For `mame` it takes only the three of the MLP (`gate_proj`, `up_proj`, `down_proj`). The attention (`self_attn`), which decides where in the prompt to look, gets none: the MLP is enough to learn the shop's facts, and the model keeps more of its skill of reading facts off a prompt (the row "… attention adapted too" in results/README.md has the figures).
#
# Count what there is to train, rank by rank: $r \times (\text{inputs} + \text{outputs})$ for each matrix.

# %%
from workshop_helpers import LoraRecipe

recipe = LoraRecipe.for_model(MODEL)
layers = model.get_decoder().named_modules()
linear = {name: layer for name, layer in layers if isinstance(layer, torch.nn.Linear)}
names = recipe.target_modules or tuple(linear)
chosen = [layer for name, layer in linear.items() if name.endswith(names)]
total = sum(parameter.numel() for parameter in model.parameters())

for rank in sorted({4, 16, 64, recipe.rank}):
    trainable = sum(rank * (layer.in_features + layer.out_features) for layer in chosen)
    print(f"rank {rank:2}: {trainable:>9,} / {total:,} = {trainable / total:.1%}")

# %% [markdown] lang="ja"
# モデルが大きいほど、この割合は小さくなります。講演の例では、TinyLlama（約11億パラメータ）で学習したのは2,359,296個、全体の約0.2%でした。

# %% [markdown] lang="en"
# The larger the model, the smaller this share. In the talk's own example, TinyLlama with its 1.1 billion parameters, 2,359,296 were trained: about 0.2 %.

# %% [markdown] lang="ja"
# ## 10行で学習する
#
# `LoraRecipe` には、モデルごとに既定値があります。`learning_rate` は1歩の大きさ、`epochs` はデータを何周するか、`batch_size` は1歩で何行見るか、です。

# %% [markdown] lang="en"
# ## Train on 10 rows
#
# A `LoraRecipe` has defaults for each model: `learning_rate` is the size of a step, `epochs` how often we go through the data, `batch_size` how many rows make one step.

# %%
for name, value in recipe.to_dict().items():
    print(f"{name:22} {value}")

# %% [markdown] lang="ja"
# 講演のデモと同じく、まず10行を3周します。行が少ないので、1歩で見るのは2行ずつにして、歩数を15歩にします。実際に学習するのはHugging FaceのPEFTとTRLで、`train` はその準備と後片付けをまとめたものです。学習したパラメータの数が、上で数えたものと合うかどうかも見てください。

# %% [markdown] lang="en"
# As in the talk's demo: 10 rows, three times over. With so few rows, a step sees only two of them, which makes 15 steps. The training itself is done by Hugging Face's PEFT and TRL; `train` does the preparing and the tidying up. Does the number of trained parameters agree with our count?

# %% tags=["nbval-ignore-output", "timed"]
from workshop_helpers import train

few = train(MODEL, rows[:10], f"{RUNS}/tuned-10", recipe.replace(epochs=3, batch_size=2))
print(f"{few.trainable = :,}  {few.tokens = :,}  {few.seconds = :.1f}  {few.final_loss = :.2f}")

# %% [markdown] lang="ja"
# できあがったのは**アダプター**、つまり $A$ と $B$ だけを収めた小さなファイルです。元のモデルには手を付けていません。`card.json` には、どのモデルとデータと設定から、どの環境で作られたかが記録されています。

# %% [markdown] lang="en"
# What came out is an **adapter**: a small file with nothing but the $A$s and $B$s. The base model itself has not been touched. `card.json` records which model, data and settings it was made from, and on what machine.

# %% tags=["nbval-ignore-output", "timed"]
for file in sorted(few.adapter.iterdir()):
    print(f"{file.stat().st_size:>9,}  {file.name}")

# %% [markdown] lang="ja"
# ## 100行で学習する
#
# 次は100行です。設定は既定値に戻します。

# %% [markdown] lang="en"
# ## Train on 100 rows
#
# Now 100 rows, with the recipe as it is.

# %% tags=["nbval-ignore-output", "timed"]
many = train(MODEL, rows[:100], f"{RUNS}/tuned-100", recipe)
print(f"{many.trainable = :,}  {many.tokens = :,}  {many.seconds = :.1f}  {many.final_loss = :.2f}")

# %% [markdown] lang="ja"
# `max_length` に収まらない行は、途中で切られたり、丸ごと捨てられたりします。黙って起こると気づけないので、必ず確かめます。空のリストなら、全部の行を使えています。

# %% [markdown] lang="en"
# A row that does not fit into `max_length` is cut, or dropped altogether. That must not happen silently, so check: empty lists mean that every row was used whole.

# %%
print(f"{many.truncated = }  {many.dropped = }")

# %% [markdown] lang="ja"
# 損失の推移です。横軸の長さが違うのは、100行のほうがずっと多くのステップを踏んでいるからです。

# %% [markdown] lang="en"
# The loss curves. One is much shorter than the other simply because 10 rows make so few steps.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import loss_curve

loss_curve({"10": few, "100": many})

# %% [markdown] lang="ja"
# 損失が下がるのは、**いま見せている行**の続きを当てやすくなったということです。「お店の決まりを覚えた」ことの証拠にはまだなりません。それを知るには、学習に使っていない質問をするしかありません。
#
# ## 聞いてみる
#
# 学習データに出てこない言い回しの質問を、3つのモデルに投げてみます。

# %% [markdown] lang="en"
# A falling loss says that the model got better at continuing **the rows it is being shown**. It does not yet prove that it knows the shop's rules. For that there is only one way: ask it something it was not trained on.
#
# ## Ask
#
# Here is a question whose wording appears in no training row, put to all three models.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import ask

question = shop.questions[0].question
print(question)
for model in (MODEL, few.adapter, many.adapter):
    print(f"\n{model}: {ask(model, question).text}")

# %% [markdown] lang="ja"
# 正解と見比べてみましょう。お店の決まりは `facts.yaml` に1か所にまとめてあり、採点もここを基準にします。

# %% [markdown] lang="en"
# Compare with the truth. The shop's rules stand in one place, `facts.yaml`, and that is also what answers are scored against.

# %%
for fact in list(shop.facts)[:6]:
    print(fact.statement[LANGUAGE])

# %% [markdown] lang="ja"
# ## まとめ
#
# - 学習データの1行は、チャットテンプレートを通してトークンの列になり、損失は回答の部分だけで数えます。
# - LoRAは元の重みを凍らせ、細い行列 $A$ と $B$ だけを学習します。できるのは小さなアダプターです。
# - 損失の低さと、事実を覚えたかどうかは別の話です。1つの質問では何も言えません。
#
# 次の章 `05_before_after` では、評価用の質問をまとめて投げ、学習の前と後、そして「プロンプトに書くだけ」の場合を数字で比べます。

# %% [markdown] lang="en"
# ## In short
#
# - The chat template turns a training row into tokens, and only the answer's tokens carry loss.
# - LoRA freezes the weights and trains thin matrices $A$ and $B$. What you get is a small adapter.
# - A low loss and knowing the facts are two different things, and one question proves nothing either way.
#
# Next, in `05_before_after`, we put all the held-out questions to the models and compare, in figures: before, after, and simply writing the facts into the prompt.

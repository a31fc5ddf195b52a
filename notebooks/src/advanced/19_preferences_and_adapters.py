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
# # 19 好みを教える、アダプターを組み合わせる
#
# 「正解はどちらも同じ。でも、こちらの言い方のほうがいい」。そんな好みは、模範解答だけでは伝えにくいものです。この章の前半では、丁寧な答えとそっけない答えの組からDPOで学びます。後半では、別々に覚えた2つのアダプターを切り替え、1つに混ぜて、知識がどれだけ残るかを数えます。
#
# | | |
# | --- | --- |
# | 目標 | DPOが何を変え、何を変えないかを、同じデータでのSFTと比べて測る。アダプターの切り替えと合成で残る知識を測る |
# | 時間 | ひとりで30分（実行は1、2分） |
# | 使うもの | `mame`、お店の行から規則で作った50組 |
# | できるもの | 好みを学んだアダプター、半分ずつの知識を持つ2つのアダプターと、その合成 |

# %% [markdown] lang="en"
# # 19 Teaching a preference, combining adapters
#
# "Both answers are right, but I like this one better." A preference like that is hard to put into model answers alone. The first half of this chapter learns one with DPO, from pairs of a polite and a blunt answer. In the second half two adapters, each with half of the facts, are switched, then combined into one, and we count what is left.
#
# | | |
# | --- | --- |
# | Goal | Measure what DPO changes and what it does not, beside SFT on the same data; measure which facts survive switching and combining adapters |
# | Minutes | 30 on your own (a minute or two of it running) |
# | Comes in | `mame`, and 50 pairs made by rule from the shop's rows |
# | Goes out | An adapter that learned a preference, two adapters with half of the facts each, and their combinations |

# %% [markdown] lang="ja"
# `ROWS` は、事実の半分ずつを教えるときの行数です。

# %% [markdown] lang="en"
# `ROWS` is the number of rows for each half of the facts.

# %% tags=["parameters"]
MODEL = "mame"
ROWS = 30
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# ## 2つの言い方
#
# 組は人が書いたものではなく、規則で作ります。お店の行の答えからあいさつと「お気軽にお尋ねください」の類を取り除いたものが、そっけない答え（rejected）。その前にお礼、後ろに申し出を付けたものが、丁寧な答え（chosen）です。**事実はどちらも同じ**。違うのは言い方だけです。

# %% [markdown] lang="en"
# ## Two ways of saying it
#
# Nobody wrote these pairs; a rule made them. Take a row's answer without its greetings and its offers of help: that is the blunt one (rejected). Put thanks before it and an offer behind it: that is the polite one (chosen). **Both state the same fact.** Only the manner differs.

# %% tags=["needed"]
from workshop_helpers import LoraRecipe, Shop, polite_pairs, runs_folder

shop, runs = Shop(LANGUAGE), runs_folder(MODEL, LANGUAGE)
recipe = LoraRecipe.for_model(MODEL)
pairs = polite_pairs(shop.train, LANGUAGE, 50)
held_out = polite_pairs(shop.train[-100:], LANGUAGE, 20)
for pair in pairs[:2]:
    print(f"? {pair.question}\n+ {pair.chosen}\n- {pair.rejected}\n")

# %% [markdown] lang="ja"
# ## 出発点
#
# 好みを教える相手は、お店の事実をもう知っているモデルです。後半のために、事実を半分に分けて、前半だけ、後半だけ、両方、の3つを学習しておきます。両方を学んだものをマージすると、DPOの出発点になります。

# %% [markdown] lang="en"
# ## Where we start
#
# A preference is taught to a model that knows the shop's facts already. With the second half of the chapter in mind, split the facts in two and train three adapters: the first half, the second half, and both. The one that learned both is merged; that is where DPO starts.

# %% tags=["needed"]
from workshop_helpers import merge, train

facts = [fact.id for fact in shop.facts]
rows_1, questions_1 = shop.about(facts[:15])
rows_2, questions_2 = shop.about(facts[15:])
first = train(MODEL, rows_1[:ROWS], runs / "first-half", recipe)
second = train(MODEL, rows_2[:ROWS], runs / "second-half", recipe)
joint = train(MODEL, [*rows_1[:ROWS], *rows_2[:ROWS]], runs / "both-halves", recipe)
start = merge(joint.adapter, runs / "both-halves-model").model

# %% [markdown] lang="ja"
# ## DPO
#
# RLHFは、人の好みを真似る報酬モデルを作り、生成と採点を繰り返して強化学習します。DPOは、それを1本の損失関数に畳みました。答えの組があれば、報酬モデルも生成もいりません。
#
# $$-\log\sigma\left(\beta\left[(\log\pi_+-\log\rho_+)-(\log\pi_--\log\rho_-)\right]\right)$$
#
# $\pi$ は学習中のモデル、$\rho$ は学習前の同じモデル、添え字の＋は丁寧な答え、−はそっけない答えです。LoRAなら $\rho$ のためにモデルをもう1つ載せる必要はありません。アダプターを外せば、それが $\rho$ です。
#
# 学習率に注意してください。TRLの `DPOConfig` の既定値は全体を学習するときの値で、LoRAには小さすぎます。ここでは、このモデルのSFT用レシピの3分の1（`preferred`）と、さらに控えめにその3割（`careful`）の2通りを試します。

# %% [markdown] lang="en"
# ## DPO
#
# RLHF builds a reward model that imitates people's taste, then generates, scores and reinforces, over and over. DPO folds all that into one loss. With pairs of answers at hand it needs neither a reward model nor any generating:
#
# $$-\log\sigma\left(\beta\left[(\log\pi_+-\log\rho_+)-(\log\pi_--\log\rho_-)\right]\right)$$
#
# Here $\pi$ is the model in training, $\rho$ the same model before it, the index + the polite answer and − the blunt one. With LoRA, $\rho$ takes no second model in memory: switch the adapter off, and there it is.
#
# Mind the learning rate. The default of TRL's `DPOConfig` is one for training all weights, far too small for LoRA. We try two: a third of the rate of this model's SFT recipe (`preferred`), and three tenths of that (`careful`).

# %%
from trl import DPOConfig

from workshop_helpers import prefer

gentle = recipe.replace(learning_rate=1e-3, epochs=3)
default = DPOConfig.__dataclass_fields__["learning_rate"].default
print(f"learning rate: TRL {default:g}, here {gentle.learning_rate:g}")
preferred = prefer(start, pairs, runs / "preferred", gentle, beta=0.1)
careful = prefer(start, pairs, runs / "careful", gentle.replace(learning_rate=3e-4), beta=0.1)
copied = train(start, [pair.row for pair in pairs], runs / "copied", gentle)

# %% [markdown] lang="ja"
# `copied` は比較のための普通のSFTです。同じ50組の丁寧な答えだけを、同じ学習率と回数で真似させました。DPOの途中経過を見てみましょう。chosenとrejectedは、その答え全体に与えた対数確率です。

# %% [markdown] lang="en"
# For comparison, `copied` is plain SFT: it imitates the polite answers of the same 50 pairs, at the same rate and for as many epochs. Now watch DPO at work; chosen and rejected are the log-probabilities given to each whole answer.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import figures_table

steps = preferred.steps
shown = [{"step": n + 1, **steps[n]} for n in (0, len(steps) // 2, len(steps) - 1)]
figures_table("19", shown, LANGUAGE)

# %% [markdown] lang="ja"
# 損失は0.69、つまり $\log 2$ から始まります。最初は $\pi=\rho$ なので、どの組でも差が0だからです。ここから差が開いていきますが、**DPOが広げるのは差だけ**です。丁寧な答えの確率が上がるとはかぎりません。下の表のchosenの列で、本当に上がったかを確かめます。
#
# ## 勝率、そして代金
#
# 学習に使っていない質問で比べます。勝ち負けは人でもLLMでもなく、数えられるしるしで決めます。お礼か申し出だけの文が、出発点の答えより多ければ勝ち、同じなら引き分けで0.5勝です。`margin_share` は、見たことのない20組のうち、丁寧な答えの側へ差が動いた割合です。

# %% [markdown] lang="en"
# The loss begins at 0.69, which is $\log 2$: at first $\pi=\rho$, and the difference is 0 for every pair. From there it grows; but **the difference is all that DPO widens**. The polite answer need not become likelier for that. Whether it did is what the column "chosen" in the table below tells.
#
# ## The win rate, and the bill
#
# Compare on questions that were not trained on. Neither a person nor an LLM is the judge, but a sign that can be counted: an answer wins if it holds more sentences of nothing but thanks or offers than the answer of the start; equal ones count half. `margin_share` is the share of 20 unseen pairs whose difference moved to the polite side.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import compare, preference_figures

models = {"start": start, "sft": copied, "dpo": preferred, "careful": careful}
asked = shop.questions[::3]
candidates = {name: getattr(m, "adapter", m) for name, m in models.items()}
manners = compare(candidates, asked)
taught = preference_figures(manners, models, held_out)
figures_table("19", taught, LANGUAGE)

# %% [markdown] lang="ja"
# 勝率だけを見て喜ばないでください。**文字数の列**も見ます。丁寧な答えは、そっけない答えより必ず長いのです。だからDPOにとっては、「丁寧に」も「長く」も「申し出を繰り返す」も、同じように差が開く道です。日本語のお店では、実際にそれが起こりました。`preferred` は満点で勝ちながら、同じ申し出を何度も繰り返しています。しるしを満点にすることと、それで言いたかったことは別なのです（報酬ハッキングと呼ばれます）。
#
# 学習率を下げた `careful` は、その逆を教えてくれます。見たことのない組は1つ残らず丁寧な側へ動いたのに、日本語の答えは出発点とほとんど変わりません。対数確率の差は、貪欲に書いた答えが変わるずっと前から動きます。**学習のログで差が広がったことは、答えが変わったことの証拠にはなりません。**
#
# 同じ質問への答えを並べます。

# %% [markdown] lang="en"
# Do not rejoice at a win rate alone; look at **the number of characters**, too. A polite answer is always longer than the blunt one, so to DPO "politer", "longer" and "offer help again and again" are roads of the same kind: all of them widen the difference. In the Japanese shop (the Japanese edition of this notebook) that is what happened: `preferred` wins every time, and repeats the same offer over and over. Getting full marks by a sign is one thing, and what the sign was meant for another (people call it reward hacking).
#
# The lower rate of `careful` teaches the opposite. Every single unseen pair moved to the polite side, and yet only some of the answers changed (in the Japanese edition hardly any), while no recalled fact was lost. Log-probabilities move long before a greedily decoded answer does: **a difference that grows in the training log is no proof that the answers have changed.**
#
# The answers to the same questions:

# %% tags=["nbval-ignore-output"]
manners.side_by_side([1, 11, 21])

# %% [markdown] lang="ja"
# 代金は3つあります。お店の事実（上の表の再現率）、お店と関係のない力（忘却）、そして時間です。

# %% [markdown] lang="en"
# The bill has three items: the shop's facts (recall, in the table above), what has nothing to do with the shop (forgetting), and time.

# %% tags=["nbval-ignore-output", "timed"]
from workshop_helpers import probe

forgotten = probe(candidates, LANGUAGE, per_kind=8)
seconds = {name: getattr(model, "seconds", None) for name, model in models.items()}
bill = [
    {"method": name, **{f"{kind}_share": share for kind, share in shares.items()}}
    | {"train_seconds": seconds[name]}
    for name, shares in forgotten.shares.items()
]
figures_table("19", bill, LANGUAGE)

# %% [markdown] lang="ja"
# ## アダプターを切り替える
#
# 元になったガイドは「複数のLoRAアダプターを切り替えられる」と書いています。そのとおりで、PEFTでは土台を1つだけ読み込み、`load_adapter` で足し、`set_adapter` で選びます。最初に載せたアダプターの名前は `default` です。後半の事実についての質問に、前半担当（`default`）と後半担当（`second`）がどう答えるかを見ます。

# %% [markdown] lang="en"
# ## Switching adapters
#
# The guide this course grew from says that several LoRA adapters can be switched. So they can: PEFT loads one base, `load_adapter` adds to it, `set_adapter` chooses. The adapter that came first is called `default`. Here is a question on the second half of the facts, answered by the specialist of the first half (`default`) and of the second (`second`).

# %% tags=["nbval-ignore-output"]
from workshop_helpers import choose_device, load_model, load_tokenizer

tokenizer = load_tokenizer(MODEL)
switched = load_model(first.adapter, choose_device("cpu"), dtype="fp32")
switched.load_adapter(str(second.adapter), adapter_name="second")
question = [{"role": "user", "content": questions_2[4].question}]
text = tokenizer.apply_chat_template(question, tokenize=False, add_generation_prompt=True)
ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").to(switched.device)
print(questions_2[4].question)
for name in ("default", "second"):
    switched.set_adapter(name)
    answer = switched.generate(**ids, do_sample=False, max_new_tokens=60)[0]
    print(f"{name:8}{tokenizer.decode(answer[ids.input_ids.shape[1] :], skip_special_tokens=True)}")

# %% [markdown] lang="ja"
# 担当外の質問に「分かりません」とは言わず、もっともらしい値を作って答えることに注意してください。切り替えは一瞬で、何も失われません。ただし、質問ごとに「どちらの担当か」を誰かが決めなければなりません。1つに混ぜれば、その必要はなくなります。問題は、何が残るかです。
#
# ## 1つに混ぜる
#
# PEFTの `add_weighted_adapter` は、複数のアダプターから新しいアダプターを作ります。方式の名前はもっともらしく並んでいますが、中身はかなり違います。
#
# | 方式 | すること |
# | --- | --- |
# | `cat` | 行列を積み重ねる。変化 $B_1A_1+B_2A_2$ と**厳密に同じ**。ランクは合計になる |
# | `svd` | その和を、元のランクで最もよく近似する |
# | `linear` | AどうしとBどうしを別々に足す。$(B_1+B_2)(A_1+A_2)$ なので、誰も学習していない $B_1A_2$ と $B_2A_1$ が混ざる |
# | `ties`、`dare_ties` など | 値の一部を捨て、符号の多数決などをしてから、`linear` と同じようにAとBを別々に足す |
# | `ties_svd`、`dare_ties_svd` など | 同じことを、AとBではなく変化 $BA$ に対して行う |
#
# 前半の質問と後半の質問を別々に数えます。比べる相手は、両方を最初から一緒に学んだ `both` です。

# %% [markdown] lang="en"
# Mind how the wrong specialist answers: it does not say that it does not know, it makes a likely value up. Switching is instant, and nothing is lost. But for every question somebody has to know whose it is. One combined adapter spares us that; the question is what survives.
#
# ## Combining them into one
#
# PEFT's `add_weighted_adapter` makes a new adapter of several. The names of its ways sound alike; what they do is not.
#
# | way | what it does |
# | --- | --- |
# | `cat` | stacks the matrices: **exactly** the change $B_1A_1+B_2A_2$, at the sum of the ranks |
# | `svd` | the best copy of that sum at the rank of one |
# | `linear` | adds As to As and Bs to Bs: $(B_1+B_2)(A_1+A_2)$, so $B_1A_2$ and $B_2A_1$ come in, which nobody trained |
# | `ties`, `dare_ties` and so on | drop some values, settle signs by majority and the like, then add As and Bs apart as `linear` does |
# | `ties_svd`, `dare_ties_svd` and so on | the same to the changes $BA$ instead of to A and B |
#
# Questions on the first and on the second half are counted apart. The rival is `both`, which learned everything together.

# %% tags=["needed"]
from workshop_helpers import combine_adapters

ways = ("cat", "svd", "linear", "ties", "ties_svd", "dare_ties")
one_each = [first.adapter, second.adapter]
combined = {way: combine_adapters(one_each, runs / f"halves-{way}", way) for way in ways}

# %% tags=["nbval-ignore-output"]
adapters = {"first": first, "second": second, "both": joint, **combined}
folders = {name: one.adapter for name, one in adapters.items()}
half_1 = compare(folders, questions_1[::3])
half_2 = compare(folders, questions_2[::3])
survived = [
    {
        "method": name,
        "first_share": half_1.row(name).summary.recall,
        "second_share": half_2.row(name).summary.recall,
        "rank": getattr(one, "rank", recipe.rank),
    }
    for name, one in adapters.items()
]
figures_table("19", survived, LANGUAGE)

# %% tags=["nbval-ignore-output"]
from workshop_helpers import figures_plot

figures_plot("19", survived, LANGUAGE, "halves")

# %% [markdown] lang="ja"
# 見てほしいのは3点です。1つは `cat` と `linear` の差。どちらも「足す」つもりでも、行列の積は足し算をそのままは通しません。2つ目は、符号の多数決をする `ties` が、AとBを別々に扱っても `linear` ほどは崩れないことです。`ties_svd` は変化 $BA$ に対して同じことをします。3つ目は、厳密な和である `cat` も、そのほかの方式も、一緒に学んだ `both` の代わりにはならないことです。2つのアダプターは、互いがいる場所で学んだことがありません。
#
# ## 投機的デコード
#
# ガイドが「次のトピック」に挙げる投機的デコードは、安い下書き役に数トークン先まで書かせ、本物のモデルが1回の計算でまとめて確かめる方法です。貪欲法なら、**答えは下書きがなくても同じ**です。変わるのは、本物のモデルを何回動かすかだけです。下書き役を4通り試します。なし、学習前の `mame`、自分自身、そしてプロンプトの中の言い回し（`prompt`、モデルなし）。

# %% [markdown] lang="en"
# Three things to look at. One is the gap between `cat` and `linear`: both mean to add, but a product of matrices does not let a sum through untouched. The second: `ties` settles signs by majority, and so does not fall apart as `linear` does, though it, too, treats A and B apart; `ties_svd` does the same to the change $BA$. The third: neither `cat`, the exact sum, nor any other way is a substitute for `both`, which learned everything together. Neither adapter has ever trained where the other one is.
#
# ## Speculative decoding
#
# Speculative decoding, which the guide names as a next topic, lets a cheap draft write some tokens ahead and the real model check them all in one pass. Decoded greedily, **the answers are the same with or without it**; only the number of passes of the real model changes. Four drafts are tried: none, `mame` before tuning, the model itself, and phrases of the prompt (`prompt`, which takes no model).

# %%
from workshop_helpers import speculate

drafts = {"alone": None, "base-draft": MODEL, "self-draft": start, "prompt": "prompt"}
spoken = speculate(start, drafts, [question.question for question in asked[:6]])
same = [one.answers == spoken[0].answers for one in spoken]
print(f"{len(spoken)} ways, the same answers: {all(same)}")

# %% tags=["nbval-ignore-output", "timed"]
drafted = [
    {
        "draft": one.label,
        "tokens": one.tokens,
        "passes": one.passes,
        "tokens_a_pass": one.tokens / one.passes,
        "answer_seconds": one.seconds,
    }
    for one in spoken
]
figures_table("19", drafted, LANGUAGE)

# %% [markdown] lang="ja"
# 自分自身が下書きなら、外れは出ません。それでも速くならないのは、下書きがただではないからです。速くなるのは、下書きが**本物よりずっと安く**、しかもよく当たるときだけです。たとえば、何十億ものパラメーターを持つモデルと、その家族のいちばん小さいモデルの組です。`mame` のような小さなモデルでは、1回の計算より段取りのほうが高くつきます。学習すると、学習前の自分を下書きにしても当たりにくくなることにも注目してください。
#
# ## 動かさなかったもの
#
# vLLMは、1つの土台に多数のアダプターを載せ、リクエストごとに切り替えて配るサーバーです。どのアダプターを使うかは、リクエストの `model` に名前を書いて選びます。llama.cppの `-md` は、下書き用のGGUFを渡す引数です。vLLMにはGPUが要るので、どれも**ここでは測定していません**。公式の説明によれば、こう動かします。
#
# ```bash
# vllm serve BASE_MODEL --enable-lora --lora-modules first=runs/first second=runs/second
# vllm serve BASE_MODEL --speculative-config '{"method": "ngram", "num_speculative_tokens": 5}'
# llama-server -m model.gguf -md draft.gguf
# ```

# %% [markdown] lang="en"
# A model that drafts for itself never guesses wrong. It is no faster for that, because its drafts are not free. What pays is a draft that is **much cheaper than the model**, and right most of the time: a model of billions of parameters with the smallest of its family. For one as small as `mame`, arranging a pass costs more than the pass. Note also that tuning made the untuned model a poorer draft.
#
# ## What did not run
#
# vLLM serves many adapters on one base and switches with every request, whose `model` names the adapter. With llama.cpp, `-md` takes a GGUF that drafts. vLLM wants a GPU, so all of this was **not measured here**. By their documentation they are run like this:
#
# ```bash
# vllm serve BASE_MODEL --enable-lora --lora-modules first=runs/first second=runs/second
# vllm serve BASE_MODEL --speculative-config '{"method": "ngram", "num_speculative_tokens": 5}'
# llama-server -m model.gguf -md draft.gguf
# ```

# %% [markdown] lang="ja"
# ## 乱数を変えても
#
# 上の数字は、どれも1回の学習です。乱数の種を変えて、学習からやり直した記録があります。まず好み（中央値と、最小と最大）、次に2つの半分です。

# %% [markdown] lang="en"
# ## With other seeds
#
# Every figure above is a single training. Here is the record of training it all anew with other seeds: first the preference (median, least and most), then the two halves.

# %%
from workshop_helpers import measured

measured("19_preferences_and_adapters", "preferences_by_seeds", LANGUAGE)

# %%
measured("19_preferences_and_adapters", "combined_by_seeds", LANGUAGE)

# %% [markdown] lang="ja"
# **どの種でも同じだったこと。** SFTはDPOとほぼ同じくらい勝ちます。どちらも事実を失い、どちらが多く失うかは言語で分かれました。控えめなDPOは、事実を失わず、ほとんど勝ちません。`linear` は何も残さないのと変わりません。そして、一緒に学んだ `both` に並ぶ混ぜ方はありませんでした。
#
# **種で変わったこと。** 日本語のDPOの文字数は、最小と最大で4倍近く違います。同じ申し出の繰り返しは、起こる種と、あまり起こらない種があるのです。`cat`、`ties`、`ties_svd` の順番も入れ替わります。1回の学習で方式の順位を決めてはいけません。

# %% [markdown] lang="en"
# **The same with every seed:** SFT wins about as often as DPO. Both lose facts, and which of them loses more differs between the languages. The careful DPO loses none to speak of, and hardly wins. `linear` leaves next to nothing. And no way of combining comes near `both`, which learned everything together.
#
# **Different with the seed:** the length of the Japanese answers after DPO differs almost fourfold between the least and the most: with some seeds it repeats its offer, with others hardly. The order among `cat`, `ties` and `ties_svd` turns round as well. A ranking of methods takes more than one training.

# %% [markdown] lang="ja"
# ## 経験則
#
# - **欲しい答えそのものが書けるなら、まずSFT。** ここでは、同じ50組の丁寧な答えだけを真似たSFTが、DPOと同じくらい勝ち、学習時間は短く済みました。DPOが要るのは、模範解答は書けないが「こちらのほうがいい」は言える、というときです。
# - **DPOでは、差ではなく両方の対数確率を見る。** 差は、いらない答えを下げるだけでも開きます。
# - **勝率を1つの数字として信じない。** 長さ、事実の再現率、忘却と並べ、答えそのものを読みます。強すぎるときは、まず学習率を下げます。
# - **一緒に学べるなら、一緒に学ぶ。切り替えで済むなら、切り替える。混ぜるなら、変化 $BA$ を混ぜる方式（`cat`、`svd`、`ties_svd`）を。** `linear` は和ではありません。どの方式でも、混ぜた後に両方の試験を受けさせます。
# - **投機的デコードは、下書きの値段で決まる。** 当たる割合だけを見ても、速くなるかは分かりません。
#
# この経験則の根拠は、小さなモデル1つ、お店1軒、30問、言語ごとに3つの種の学習です。投機的デコードは1回だけです。

# %% [markdown] lang="en"
# ## Rule of thumb
#
# - **If you can write the answer you want, try SFT first.** Here, SFT on the polite answers of the same 50 pairs won about as often as DPO and trained in less time. DPO is for when you cannot write the answer, but can say which of two you like better.
# - **With DPO, watch both log-probabilities, not their difference.** The difference also grows when only the unwanted answer falls.
# - **Never trust a win rate as a single figure.** Put length, fact recall and forgetting beside it, and read the answers. Where it was too much, lower the learning rate first.
# - **Train together where you can. Switch where switching will do. If you must combine, combine the changes $BA$ (`cat`, `svd`, `ties_svd`).** `linear` is not the sum. And whatever the way, let the result sit both exams.
# - **Speculative decoding stands and falls with the price of the draft.** How often it is right does not tell whether it is faster.
#
# All this rests on one small model, one shop, 30 questions and three seeds a language; speculative decoding on one run.

# %% [markdown] lang="ja"
# ガイドの「次のステップ」について、測って分かったことを2つ付け足します。MergekitはLoRAの合成というより、**モデルの重みどうし**を混ぜる道具です。アダプターを混ぜるのはPEFTの `add_weighted_adapter` の仕事でした。もう1つ、DPOは「RLHFをシンプルにしたもの」ですが、`trl==1.16.0` にはもう、元のRLHFで使われたPPOのトレーナーがありません。

# %% [markdown] lang="en"
# Two things to add to the guide's "next steps". Mergekit mixes the **weights of models** rather than LoRA adapters; mixing adapters was the work of PEFT's `add_weighted_adapter`. And DPO is "RLHF made simple", as the guide says, but `trl==1.16.0` no longer has the PPO trainer that the original RLHF used.

# %% [markdown] lang="ja"
# ## 演習
#
# `answer` に答えを入れて実行すると、下のセルが答え合わせをします。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer into `answer` and run the cell; the one below checks it.

# %% tags=["needed"]
import math

from workshop_helpers import Exercises

exercises = Exercises("19", LANGUAGE)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習1：DPOの損失を手で** ある組の対数確率です。学習後のモデルは丁寧な答えに−12、そっけない答えに−9を、学習前のモデルは−20と−5を与えました。$\beta=0.1$ のとき、この組の損失はいくらですか。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 1: the loss by hand** These are the log-probabilities of a pair. The trained model gives −12 to the polite answer and −9 to the blunt one; before training it gave −20 and −5. With $\beta=0.1$, what is the loss of this pair?

# %% tags=["exercise"]
after, before, beta = (-12.0, -9.0), (-20.0, -5.0), 0.1
answer = ...

# %% tags=["solution"]
after, before, beta = (-12.0, -9.0), (-20.0, -5.0), 0.1
margin = beta * ((after[0] - before[0]) - (after[1] - before[1]))
answer = math.log(1 + math.exp(-margin))
answer

# %% tags=["check"]
loss = [math.log(1 + math.exp(-beta * m)) for m in (12.0, -3.0, -12.0)]
pitfalls = {loss[1]: "loss-reference", loss[2]: "loss-sign"}
exercises.check("loss", answer, loss[0], within=1e-3, pitfalls=pitfalls)

# %% [markdown] lang="ja" tags=["exercise"]
# **演習2：linearの余り** `one` と `two` は、1つの層で2つのアダプターがする変化を決める行列です。`linear` が作る変化のうち、**誰も学習していない部分**（$B_1A_2+B_2A_1$）のノルムは、正しい和のノルムの何倍ですか。`linear` は、それぞれのスケール `scale` の平方根をAとBの両方に掛けます。

# %% [markdown] lang="en" tags=["exercise"]
# **Exercise 2: what linear brings along** `one` and `two` hold the matrices with which the two adapters change a layer. Of the change that `linear` makes, take the part **that nobody trained** ($B_1A_2+B_2A_1$): how large is its norm, as a multiple of the norm of the true sum? `linear` multiplies both A and B by the root of the adapter's `scale`.

# %% tags=["exercise"]
from workshop_helpers import lora_matrices

one, two = (lora_matrices(folder) for folder in one_each)
answer = ...

# %% tags=["solution", "nbval-ignore-output"]
from workshop_helpers import lora_matrices

one, two = (lora_matrices(folder) for folder in one_each)
crossed = (one.scale * two.scale) ** 0.5 * (one.B @ two.A + two.B @ one.A)
answer = float(crossed.norm() / (one.change + two.change).norm())
answer

# %% tags=["check"]
total = one.change + two.change
rest = lora_matrices(combined["linear"].adapter, one.layer).change - total
unscaled = one.B @ two.A + two.B @ one.A
pitfalls = {float(unscaled.norm() / total.norm()): "crossed-scale"}
right = float(rest.norm() / total.norm())
exercises.check("crossed", answer, right, within=1e-3, pitfalls=pitfalls)

# %% [markdown] lang="ja"
# ## まとめ
#
# - DPOは、2つの答えの差を広げる損失です。参照モデルは、アダプターを外すだけで手に入ります。
# - 言い方はDPOでもSFTでも変わりました。どちらも、事実の再現率という代金を払います。しるしだけを追うと、DPOは行き過ぎます。
# - アダプターは、切り替えれば何も失わず、混ぜれば失います。厳密な和でも、一緒に学んだものには届きません。
# - 投機的デコードは答えを変えません。速さは、下書きの値段しだいです。

# %% [markdown] lang="en"
# ## In short
#
# - DPO is a loss that widens the difference between two answers. Its reference is the model with the adapter switched off.
# - Both DPO and SFT changed the manner, and both paid in recalled facts. Led by a sign alone, DPO overshoots.
# - Adapters lose nothing when they are switched, and something when they are combined. Even the exact sum falls short of learning together.
# - Speculative decoding leaves the answers alone. Its speed depends on the price of the draft.

# %% tags=["closing"]
table, halves = ({row["method"]: row for row in rows} for rows in (taught, survived))
mean = {name: row["first_share"] + row["second_share"] for name, row in halves.items()}
true_sum = lora_matrices(combined["cat"].adapter, one.layer).change - total
assert float(true_sum.abs().max()) < 1e-5, "cat is the exact sum"
assert all(same) and abs(steps[0]["loss"] - math.log(2)) < 1e-3
assert gentle.learning_rate > 100 * default
assert all(pair.rejected in pair.chosen for pair in pairs), "both state the same"
if MODEL == "mame" and ROWS == 30:
    assert min(table["sft"]["wins_share"], table["dpo"]["wins_share"]) > 0.6
    assert max(table["sft"]["recall_share"], table["dpo"]["recall_share"]) < 0.9
    assert table["careful"]["characters"] < table["dpo"]["characters"]
    assert LANGUAGE == "en" or table["dpo"]["characters"] > 3 * table["sft"]["characters"]
    assert copied.seconds < preferred.seconds and mean["both"] > max(map(mean.get, combined))
    assert min(mean["cat"], mean["svd"], mean["ties_svd"], mean["ties"]) > mean["linear"]

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
# # 10 実践的な進め方
#
# ファインチューニングは最初の一手ではありません。安い手から順に試し、足りないと測れたところで次へ進みます。この章では、どこで止まるかを決める道具を使い、最後に全体を振り返って質問に答えます。
#
# | | |
# | --- | --- |
# | 目標 | 自分の課題にプロンプト、例、学習のどれが合うかを理由つきで選び、必要なメモリと費用を見積もる |
# | 時間 | 発表では3分＋まとめ5分、ひとりで15分 |
# | 使うもの | 記録済みの測定（`results/`）と、お店のデータ |
# | できるもの | 進め方の判断、メモリと費用の見積もり、次にやること |

# %% [markdown] lang="en"
# # 10 A practical approach
#
# Fine-tuning is not the first thing to try. Begin with what is cheap, measure, and go on only where that is shown to fall short. In this chapter you decide where to stop, and at the end we look back over the whole talk and answer its questions.
#
# | | |
# | --- | --- |
# | Goal | Choose between a prompt, examples and training for a task of your own, with a reason, and estimate memory and cost |
# | Minutes | 3 in the talk and 5 for the summary, 15 on your own |
# | Comes in | Recorded measurements (`results/`) and the shop's data |
# | Goes out | A decision, an estimate of memory and cost, and your next steps |

# %% [markdown] lang="ja"
# モデルと言語はここで選びます。

# %% [markdown] lang="en"
# Model and language are chosen here.

# %% tags=["parameters"]
MODEL = "mame"
LANGUAGE = "ja"

# %% [markdown] lang="ja"
# ## 安い手から順に
#
# 講演が勧める順番です。費用と時間は講演の目安です。
#
# | 段階（講演） | 費用 | 時間 |
# | --- | --- | --- |
# | 1. プロンプト | ¥0 | すぐ |
# | 2. 例を添える（few-shot） | ¥0 | 数分 |
# | 3. 小さく学習する | 低い | 1時間 |
# | 4. 本格的に学習する | 高い | 数時間 |
#
# 2番目は、よく飛ばされます。同じ10行があるとき、**学習に使うのと、例としてプロンプトに入れるのでは、どちらが得**でしょうか。

# %% [markdown] lang="en"
# ## Cheap things first
#
# This is the order that the talk recommends, with the talk's rough figures for cost and time.
#
# | step (the talk's) | cost | time |
# | --- | --- | --- |
# | 1. a prompt | ¥0 | at once |
# | 2. a prompt with examples (few-shot) | ¥0 | minutes |
# | 3. a small training | low | an hour |
# | 4. a large training | high | hours |
#
# The second step is often skipped. You have ten rows. **Train on them, or put them into the prompt as examples: which gets more out of them?**

# %% tags=["needed"]
from workshop_helpers import Candidate, LoraRecipe, Shop, compare, runs_folder, train

shop, recipe = Shop(LANGUAGE), LoraRecipe.for_model(MODEL)
runs, ten = runs_folder(MODEL, LANGUAGE), shop.train[:10]
few = train(MODEL, ten, runs / "tuned-10", recipe.replace(epochs=3, batch_size=2))

examples = "\n".join(f"Q: {row.question}\nA: {row.answer}" for row in ten)
shown = Candidate("10 in the prompt", MODEL, system=examples)
candidates = {"base": MODEL, "10": few, shown.label: shown, "prompt": shop.prompted(MODEL)}
result = compare(candidates, shop.questions)

# %% tags=["nbval-ignore-output", "timed", "stage:cheap-first"]
result

# %% [markdown] lang="ja"
# 「10 in the prompt」が例として入れたもの、「10行で学習」が学習に使ったものです。どちらも同じ10行です。10行にない事実は、どちらも知りようがありません。違いは、ある事実を言えるかどうかと、知らない事実で嘘をつくかどうかに出ます。
#
# では、自分の課題ではどうでしょう。いくつかの質問に答えると、助言が理由と根拠つきで出ます。

# %% [markdown] lang="en"
# "10 in the prompt" got the rows as examples, "tuned on 10 rows" was trained on them. The rows are the same, and neither can know a fact that they do not state. The difference is whether the facts that are there come out, and whether wrong ones come out for the rest.
#
# And your own task? Answer a few questions, and you get advice with its reason and what that rests on.

# %% tags=["nbval-ignore-output", "stage:decision"]
from workshop_helpers import decision_helper

decision_helper(LANGUAGE)

# %% [markdown] lang="ja"
# 規則は短いので、ボタンの裏で何が起きているかはコードでも同じように聞けます。

# %% [markdown] lang="en"
# The rules are short, and code can ask them just as the buttons do.

# %% tags=["needed"]
from workshop_helpers import advise

advice = advise(LANGUAGE, manner=True, volume=True, measured=True, rows=100)
print(advice)

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**: まずプロンプト、次に例、それでも足りないと測れたら学習です。
# - **指す**: 表の「10 in the prompt」と「10行で学習」。行は同じです。
# - **遅れたら飛ばす**: 判断の道具は1回だけ押して、メモリの節へ進みます。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: a prompt first, then examples, and training when a measurement says that these fall short.
# - **Point at**: "10 in the prompt" and "tuned on 10 rows". The rows are the same.
# - **If late, skip**: click through the helper once, then go on to memory.

# %% [markdown] lang="ja"
# ## メモリと費用を見積もる
#
# 学習に要るメモリは、重み、アダプター、勾配、オプティマイザの状態、活性値の合計です。どの項が何から決まるかを、式ごと動かして確かめられます。**見積もりであって、測定ではありません。** 速度と料金は、自分で測った値、調べた値を入れてください。

# %% [markdown] lang="en"
# ## Estimate memory and cost
#
# A training needs memory for weights, adapter, gradients, the optimizer's state and activations. Move the sliders and see which term depends on what, formulas included. **This is an estimate and no measurement.** Speed and price are yours to type: what you measured, and what you looked up.

# %% tags=["nbval-ignore-output", "stage:sliders"]
from workshop_helpers import cost_sliders

cost_sliders(LANGUAGE)

# %% [markdown] lang="ja"
# 式はどこまで当たるのでしょうか。`train` は実際に使った最大のメモリを測っています。さきほどの10行の学習で、見積もりと突き合わせます。プロセスはPythonとライブラリも抱えているので、その分は別のプロセスで測って引きます。

# %% [markdown] lang="en"
# How good is the formula? `train` measures the peak memory of its process. Hold the estimate against the training on ten rows above. The process also carries Python and the libraries, so their share is measured in a process of its own and taken off.

# %% tags=["needed"]
from workshop_helpers import estimate_recipe, libraries_bytes

length = few.tokens // (few.rows * 3)
estimate = estimate_recipe(MODEL, few.recipe, length)
print(f"{estimate.trainable:,} weights to train; the trainer counted {few.trainable:,}")

# %% tags=["nbval-ignore-output"]
libraries = libraries_bytes()
rest = few.peak_memory_bytes - libraries
print(f"measured peak     {few.peak_memory_bytes / 1e6:7.1f} MB")
print(f"  libraries alone {libraries / 1e6:7.1f} MB")
print(f"  the rest        {rest / 1e6:7.1f} MB")
print(f"estimated         {estimate.total / 1e6:7.1f} MB ({estimate.total / rest:.0%} of the rest)")

# %% [markdown] lang="ja"
# 学習する重みの数は、ぴったり合います。メモリは合いません。このくらい小さなモデルでは、テンソルよりもPython、ライブラリ、行列計算の部品、解放されずに残ったメモリのほうがずっと大きいからです。式が数えているのはテンソルだけです。重みが数GBになる大きなモデルでは重みの項が主役になりますが、それをここで測ったわけではありません。**見積もりは「入らない」と知るために使い、入るかどうかは動かして確かめます。**

# %% [markdown] lang="en"
# The number of trained weights agrees exactly. Memory does not. With a model as small as this, Python, libraries, compiled kernels and memory that was freed but kept outweigh the tensors by far, and tensors are all that the formula counts. With a large model the weights alone take gigabytes and lead the sum, though that was not measured here. **Use an estimate to learn that something will not fit. Whether it fits, only running it tells.**

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**: LoRAで減るのは勾配とオプティマイザです。重みと活性値は残ります。QLoRAは重みも減らします。
# - **指す**: 手法を切り替えたときの、いちばん長い棒。
# - **遅れたら飛ばす**: 見積もりと測定の突き合わせ。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: LoRA saves on gradients and optimizer. Weights and activations stay, and QLoRA shrinks the weights as well.
# - **Point at**: the longest bar while you switch the method.
# - **If late, skip**: the estimate against the measurement.

# %% [markdown] lang="ja"
# ## 発表者の時計
#
# 講演のアジェンダには45分とありますが、8つのセクションを足すと50分です。最初の7つで45分を使い切り、まとめと質疑は外に出ます。質疑まで45分に収めたいときは `agenda_clock(LANGUAGE, minutes=45)` とすると、全体が同じ割合で縮みます。時計はセルの実行中も進みますが、ボタンはセルが終わるまで待ちます。

# %% [markdown] lang="en"
# ## The presenter's clock
#
# The talk's agenda announces 45 minutes, but its eight sections add up to 50: the first seven use the 45 up, and summary and questions come on top. Must the questions fit in as well, then `agenda_clock(LANGUAGE, minutes=45)` shortens all sections alike. The clock goes on while a cell runs; its buttons wait until the cell is done.

# %% tags=["nbval-ignore-output"]
from workshop_helpers import agenda_clock

agenda_clock(LANGUAGE)

# %% [markdown] lang="ja"
# ## 全体を振り返る
#
# 1. **ファインチューニングは重みを変えます。** プロンプトは変えません（`01_what_is_finetuning`、`02_ollama_misconceptions`）。
# 2. **効き目を決めるのはデータと回数です。** 少ない行、少ない回数では、答え方だけが移って嘘が増えます（`05_before_after`、`09_results_and_reality`）。
# 3. **Ollamaは動かす道具です。** 学習は外で行い、GGUFにして渡します（`06_merge_and_gguf`、`08_run_on_ollama`）。
# 4. **小さくした分だけ、測って確かめます。** 量子化も忘却も、数字で見ます（`07_quantization`）。
# 5. **安い手から順に進みます。** この章です。

# %% [markdown] lang="en"
# ## Looking back
#
# 1. **Fine-tuning changes weights.** A prompt does not (`01_what_is_finetuning`, `02_ollama_misconceptions`).
# 2. **Data and repetition decide.** With few rows, seen seldom, only the manner rubs off, and wrong figures with it (`05_before_after`, `09_results_and_reality`).
# 3. **Ollama runs models.** Training happens outside, and a GGUF is handed over (`06_merge_and_gguf`, `08_run_on_ollama`).
# 4. **What was made smaller is measured again.** Quantization and forgetting are matters of figures (`07_quantization`).
# 5. **Cheap things first**: this chapter.

# %% [markdown] lang="ja"
# ## 質問と答え
#
# 講演の資料にある想定質問すべてに、この教材で確かめたことを踏まえて答え直します。
#
# <details><summary>GPUは必須ですか。</summary>
#
# いいえ。この教材はすべてCPUで動きます。講演は「GPUなら10倍以上速い」としますが、どれだけ速いかはモデルと機械しだいで、この教材ではGPUを測っていません。自分の環境の見込みは `00_preflight` が測ります。
#
# </details>
#
# <details><summary>日本語のファインチューニングはできますか。</summary>
#
# できます。ここまでの日本語の表がその結果です。講演は「データは英語の1.5〜2倍必要」としますが、`09_results_and_reality` の記録では、同じ行数の英語と日本語にそれほどの差はありません。効くのは、元のモデルが日本語を学んでいるかと、日本語を細切れにしないトークナイザーです（`03_training_data`）。
#
# </details>
#
# <details><summary>費用はどのくらいですか。</summary>
#
# 手元で動かすなら電気代だけです。講演の目安は、クラウドGPUで3Bなら1回1〜5ドル、7B以上なら10〜50ドルですが、行数もトークン数も書かれていません。上のスライダーに、自分の行数、測った速度、今日の料金を入れてください。
#
# </details>
#
# <details><summary>量子化で品質はどのくらい落ちますか。</summary>
#
# 講演は「Q4_K_Mなら実用上問題ない」としますが、モデルしだいです。`07_quantization` の表を自分のモデルで作り、事実の再現率とKLダイバージェンスの両方を見てください。
#
# </details>
#
# <details><summary>ファインチューニングしたモデルは配布できますか。</summary>
#
# 講演の「GGUFを共有すればよい」だけでは足りません。元のモデルの利用規約は、マージ後のモデルやアダプターにも及びます。モデルごとのライセンスは `CATALOGUE` にあり、学習データの権利と、そこに含まれる個人情報も確かめます（`03_training_data` の検査）。
#
# </details>
#
# <details><summary>なぜ具体的な価格を覚えなかったのですか。</summary>
#
# 講演は、10行という量、1.1Bという大きさ、3エポックという回数を理由に挙げます。測ってみると、決め手は大きさではありません。ずっと小さい `mame` でも、行と回数と学習率がそろえば価格を覚えます（`09_results_and_reality`）。
#
# </details>
#
# <details><summary>もっと大きなモデルなら効果はありますか。</summary>
#
# 講演は、3Bで「ある程度」、7Bで「実用レベル」とします。大きなモデルは元々できることが多いのですが、自社の価格は大きくしても知りません。この教材では7Bを測っていません。同じ質問（`compare`）で測ってから決めてください。時間が大きさに比例するというのは、よい近似です。
#
# </details>
#
# <details><summary>プロンプトエンジニアリングで十分では。</summary>
#
# 多くの場合、十分です。上の表の「プロンプトに事実」の行を見てください。学習を考えるのは、プロンプトが長すぎる、答え方をそろえたい、大量に処理する、のどれかで、しかもプロンプトでは足りないと測れたときです。講演が挙げる「独自知識が大量」で、しかもよく変わるなら、検索のほうが向いています（`01_what_is_finetuning`）。
#
# </details>
#
# <details><summary>なぜOllamaは学習に対応しないのですか。</summary>
#
# 動かすことに絞った道具だからです。講演は「形式が違うから」とも言いますが、GGUFでも学習自体は不可能ではありません。重みが変わらないことは `02_ollama_misconceptions` がダイジェストで示します。
#
# </details>
#
# <details><summary>新しい知識が必要なときだけファインチューニング、でよいですか。</summary>
#
# 講演の2つ目の資料はそう答えますが、むしろ逆のことが多いのです。新しい知識はプロンプトか検索で渡すほうが確実で、直すのも簡単です。学習が得意なのは、答え方をそろえることです。事実も覚えられますが、十分な回数と、矛盾を測る手間が要ります。
#
# </details>
#
# <details><summary>ファインチューニングの費用は。</summary>
#
# 講演は「Google Colabの無料枠で小規模なら可能」とします。無料枠の内容は変わるので、その日の条件を確かめてください。`mame` なら手元のCPUで足ります。見積もりは上のスライダーで。
#
# </details>

# %% [markdown] lang="en"
# ## Questions and answers
#
# All questions that the talk's material prepares, answered anew with what this course has measured.
#
# <details><summary>Do I need a GPU?</summary>
#
# No. All of this course runs on a CPU. The talk says "ten times faster with a GPU"; how much depends on the model and the machine, and this course has not measured one. What to expect on yours is measured in `00_preflight`.
#
# </details>
#
# <details><summary>Can I fine-tune in Japanese?</summary>
#
# Yes, and the Japanese tables of this course are the result. The talk asks for "1.5 to 2 times the data"; the record in `09_results_and_reality` shows no such gap between English and Japanese at the same number of rows. What matters is a base model that has learned Japanese, and a tokenizer that does not cut it to crumbs (`03_training_data`).
#
# </details>
#
# <details><summary>What does it cost?</summary>
#
# On your own machine, the electricity. The talk names 1–5 dollars a run for a 3B model on a rented GPU and 10–50 from 7B on, without rows or tokens. Put your rows, the speed you measured and today's price into the sliders above.
#
# </details>
#
# <details><summary>How much quality does quantization cost?</summary>
#
# The talk says that Q4_K_M is fine in practice. It depends on the model: make the table of `07_quantization` for yours, and look at facts stated and at KL divergence.
#
# </details>
#
# <details><summary>May I distribute a fine-tuned model?</summary>
#
# "Share the GGUF", as the talk has it, is not all. The terms of the base model hold for a merged model and for an adapter, too. `CATALOGUE` names the licence of each model. Look also at your rights to the training data, and at personal data in it (the checks of `03_training_data`).
#
# </details>
#
# <details><summary>Why were the prices not learned?</summary>
#
# The talk gives three reasons: 10 rows, a model of 1.1B, 3 epochs. Measured, size is not what decides. The far smaller `mame` learns the prices when rows, epochs and rate are right (`09_results_and_reality`).
#
# </details>
#
# <details><summary>Would a larger model do better?</summary>
#
# The talk expects "some effect" at 3B and "practical" at 7B. A larger model can do more from the start, but it does not know your prices either. 7B was not measured in this course. Measure with the same questions (`compare`) and then decide. That time grows with size is a good approximation.
#
# </details>
#
# <details><summary>Is prompt engineering not enough?</summary>
#
# Often it is: see the line with the facts in the prompt in the table above. Think of training when the prompt grows too long, when one manner must be kept or when there is very much to do, and when a measurement says that the prompt falls short. For the "large amounts of own knowledge" that the talk mentions, if they change often, retrieval suits better (`01_what_is_finetuning`).
#
# </details>
#
# <details><summary>Why does Ollama not train?</summary>
#
# It is a tool that runs models, by design. The talk also blames the format, but a GGUF does not make training impossible in itself. That no weight changes is shown by digests in `02_ollama_misconceptions`.
#
# </details>
#
# <details><summary>Fine-tune only where new knowledge is needed?</summary>
#
# So says the talk's second document; often it is the other way round. New knowledge is safer in a prompt or in retrieval, and easier to correct there. What training does best is one consistent manner. It can teach facts, too, but takes repetition, and the effort to measure contradictions.
#
# </details>
#
# <details><summary>What does fine-tuning cost?</summary>
#
# The talk says that the free tier of Google Colab is enough for something small. What that tier offers changes, so look it up on the day. For `mame` your own CPU will do. The sliders above give an estimate.
#
# </details>

# %% [markdown] lang="ja" tags=["presenter"]
# - **言う**: ファインチューニングは強力ですが、魔法ではありません。測れば、いつ使うかが分かります。
# - **指す**: 質問が出たら、該当する答えを開き、書いてある章へ。
# - **遅れたら飛ばす**: 見積もりと時計。振り返りの5行だけ読みます。

# %% [markdown] lang="en" tags=["presenter"]
# - **Say**: fine-tuning is strong and no magic. Measure, and you know when to use it.
# - **Point at**: when a question comes up, unfold its answer and go to the chapter it names.
# - **If late, skip**: estimate and clock. Read out the five lines of the look back.

# %% [markdown] lang="ja"
# ## 次のステップ
#
# 1. 自分の課題を、上の助言の道具に入れてみる。
# 2. 評価用の質問を30問、先に書く。学習データより先です。
# 3. プロンプトで測る（`05_before_after` の `compare`）。
# 4. 足りなければ、事実ごとに言い回しを変えた行を用意して検査し（`03_training_data`）、学習する（`04_lora_training`）。
# 5. 同じ質問で測り、矛盾と忘却も見る。

# %% [markdown] lang="en"
# ## Next steps
#
# 1. Put a task of your own into the helper above.
# 2. Write 30 held-out questions, before any training row.
# 3. Measure a prompt (`compare`, as in `05_before_after`).
# 4. If that falls short, write rows with each fact in several wordings, check them (`03_training_data`) and train (`04_lora_training`).
# 5. Measure with the same questions, contradictions and forgetting included.

# %% [markdown] lang="ja"
# ## 演習
#
# `answer` に答えを書いて実行し、その下のセルで確かめます。合っているかどうかと、その理由が出ます。

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answer into `answer`, run the cell, and check it with the one below: it says whether you are right, and why.

# %% tags=["needed"]
from workshop_helpers import Exercises, estimate_cost

exercises = Exercises("10", LANGUAGE)

# %% [markdown] lang="ja" tags=["exercise"]
# **1. 何が助言を変える？** 上の `advice` と同じ状況（`manner=True, volume=True, measured=True, rows=100`）で、あと1つだけ答えを「はい」に変えると、助言が学習からプロンプトに変わります。どの名前ですか（`"facts"`、`"fit"`、`"change"` のどれか）。

# %% [markdown] lang="en" tags=["exercise"]
# **1. What turns the advice?** In the situation of `advice` above (`manner=True, volume=True, measured=True, rows=100`), one more "yes" turns the advice from training to a prompt. Which name is it: `"facts"`, `"fit"` or `"change"`?

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
situation = {"manner": True, "volume": True, "measured": True, "rows": 100}
names = ("facts", "fit", "change")
answer = next(n for n in names if advise(LANGUAGE, **situation, **{n: True}).step == "prompt")
answer

# %% tags=["check"]
exercises.check("turn", answer, "change", pitfalls={"fit": "turn-fit", "facts": "turn-facts"})

# %% [markdown] lang="ja" tags=["exercise"]
# **2. いくらかかる？** 1行300トークンの2,000行を3エポック学習します。手元で測った速度は1秒あたり1,500トークン、借りるGPUは1時間0.5ドルでした。何ドルかかりますか。

# %% [markdown] lang="en" tags=["exercise"]
# **2. What will it cost?** 2,000 rows of 300 tokens are trained for 3 epochs. You measured 1,500 tokens a second, and the GPU costs 0.5 dollars an hour. How many dollars is that?

# %% tags=["exercise"]
rows, tokens_a_row, epochs, tokens_a_second, dollars_an_hour = 2000, 300, 3, 1500, 0.5
answer = ...

# %% tags=["solution"]
rows, tokens_a_row, epochs, tokens_a_second, dollars_an_hour = 2000, 300, 3, 1500, 0.5
seconds = rows * tokens_a_row * epochs / tokens_a_second
answer = seconds / 3600 * dollars_an_hour
answer

# %% tags=["check"]
right = estimate_cost(2000, 300, 3, 1500, 0.5).price
exercises.check(
    "cost", answer, right, within=0.02, pitfalls={right / 3: "cost-once", 600.0: "cost-hours"}
)

# %% [markdown] lang="ja" tags=["exercise"]
# **3. LoRAは何を減らす？** 全パラメータの学習では、重み1個に重み4、勾配4、オプティマイザ8の計16バイトが要ります。LoRAで重みを2バイトで持つと、元のモデルの重み1個あたり（アダプターは小さいので無視して）何バイトで済みますか。

# %% [markdown] lang="en" tags=["exercise"]
# **3. What does LoRA save?** Full training takes 16 bytes for each weight: 4 for itself, 4 for its gradient, 8 for the optimizer. With LoRA and weights kept in 2 bytes, how many bytes are left for each weight of the base model (ignore the adapter, which is small)?

# %% tags=["exercise"]
answer = ...

# %% tags=["solution"]
gradient_and_optimizer = 0  # the weights of the base model are not trained
answer = 2 + gradient_and_optimizer
answer

# %% tags=["check"]
exercises.check(
    "bytes", answer, 2, pitfalls={14: "bytes-gradients", 4: "bytes-wide", 8: "bytes-half"}
)

# %% [markdown] lang="ja" tags=["exercise"]
# **4. 10行の使いみち** 上の `result` で、同じ10行を例として入れたもの（`result.row("10 in the prompt")`）の再現率は、学習に使ったもの（`result.row("10")`）より何ポイント高いですか。`row.summary.recall` は0から1です。

# %% [markdown] lang="en" tags=["exercise"]
# **4. What ten rows are good for.** In `result` above, by how many percentage points is recall higher with the ten rows in the prompt (`result.row("10 in the prompt")`) than after training on them (`result.row("10")`)? `row.summary.recall` goes from 0 to 1.

# %% tags=["exercise"]
answer = ...

# %% tags=["solution", "nbval-ignore-output"]
in_prompt, trained = result.row("10 in the prompt"), result.row("10")
answer = 100 * (in_prompt.summary.recall - trained.summary.recall)
answer

# %% tags=["check"]
in_prompt, trained = result.row("10 in the prompt").summary, result.row("10").summary
points = 100 * (in_prompt.recall - trained.recall)
exercises.check("ten", answer, points, within=0.05, pitfalls={points / 100: "ten-share"})

# %% [markdown] lang="ja"
# ## 確認クイズ

# %% [markdown] lang="en"
# ## Self-check

# %% [markdown] lang="ja" tags=["quiz"]
# **1.** 料金表が毎週変わるお店の問い合わせ対応です。学習しますか。
#
# <details><summary>答え</summary>
#
# しません。変わるたびに学習、変換、測定のやり直しになります。料金はプロンプトか検索で渡します。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **1.** A shop changes its prices every week and wants its customers' questions answered. Do you train?
#
# <details><summary>Answer</summary>
#
# No. Each change would mean training, converting and measuring again. Prices go into the prompt, or are looked up.
#
# </details>

# %% [markdown] lang="ja" tags=["quiz"]
# **2.** バッチサイズを倍にすると、メモリのどの項が増えますか。
#
# <details><summary>答え</summary>
#
# 活性値だけです。重み、アダプター、勾配、オプティマイザの状態は、行の数によりません。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **2.** You double the batch. Which terms of memory grow?
#
# <details><summary>Answer</summary>
#
# Only the activations. Weights, adapter, gradients and the optimizer's state do not depend on the rows.
#
# </details>

# %% [markdown] lang="ja" tags=["quiz"]
# **3.** 学習データより先に書くものは何ですか。なぜですか。
#
# <details><summary>答え</summary>
#
# 評価用の質問です。先に書いておけば学習データに引きずられず、プロンプトの実力も同じものさしで測れます。
#
# </details>

# %% [markdown] lang="en" tags=["quiz"]
# **3.** What is written before the training rows, and why?
#
# <details><summary>Answer</summary>
#
# The held-out questions. Written first they are not led by the rows, and the prompt is measured by the same yardstick.
#
# </details>

# %% [markdown] lang="ja"
# ## うまくいかないと分かっていること
#
# - 助言は規則であって、測定ではありません。根拠の数字は `mame` とこのお店のもので、別の課題では変わります。
# - メモリの見積もりは、一般的な形のモデルを仮定しています。小さなモデルでは、上のとおり大きく外れます。
# - 時計のボタンは、長いセルの実行中は押しても待たされます。

# %% [markdown] lang="en"
# ## Known to fail
#
# - The advice follows rules and is no measurement. The figures it rests on are those of `mame` and this shop; another task has others.
# - The memory estimate assumes the usual proportions. For a small model it is far off, as seen above.
# - While a long cell runs, the buttons of the clock have to wait.

# %% [markdown] lang="ja"
# ## まとめ
#
# - プロンプト、例、小さな学習、大きな学習の順に、測りながら進みます。
# - 10行なら、学習するより例としてプロンプトに入れるほうが役に立つことがあります。
# - メモリは項ごとに考え、見積もりは動かして確かめます。
# - 料金と速度は、人の数字ではなく自分の数字で計算します。

# %% [markdown] lang="en"
# ## In short
#
# - Prompt, examples, small training, large training: in this order, and measured at each step.
# - Ten rows can be worth more as examples in the prompt than as training data.
# - Think of memory term by term, and check an estimate by running.
# - Work out costs with your own speed and price, not with somebody else's.

# %% tags=["closing"]
assert advise(LANGUAGE).step == "prompt"
assert advise(LANGUAGE, manner=True, measured=True, rows=10).step == "examples"
assert advice.step == "small" and advice.beware
assert estimate.trainable == few.trainable
assert all(estimate.terms[name] > 0 for name in ("weights", "adapter", "activations"))
if MODEL == "mame":
    assert in_prompt.recall > trained.recall
    assert in_prompt.contradicted < trained.contradicted
    assert estimate.total < few.peak_memory_bytes / 2

# %% [markdown] lang="ja"
# ここまでが45分の講演です。最初に戻るなら `00_preflight`、学習をもう一度やるなら `04_lora_training` へ。

# %% [markdown] lang="en"
# This is where the 45 minutes of the talk end. Go back to the beginning with `00_preflight`, or train once more in `04_lora_training`.

"""What readers and checks say of a row, in Japanese: each English sentence beside its Japanese one.

A check writes its message once, in English, and only where it has found something; scripts and
`--json` rely on that. The Japanese report looks the sentence up here, takes its values out and puts
them into the Japanese one. Texts of the rows themselves stay as they are, in 「」 or （）. A sentence
that is not here stays English: the tests see to it that every one is.
"""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from string import Formatter

from ..dataset.formats.encodings import SPOKEN

# (English, Japanese). {name}: a value; what it may be and how it is said in Japanese goes by its
# name, see `_VALUES`. A number behind a name tells two values of one kind apart. The first sentence
# that fits is taken.
_SENTENCES: tuple[tuple[str, str], ...] = (
    # -- how a file was read; before all that may end with a value
    ("{read}; rows as {rows}.", "{read}{rows}"),
    # -- two rows
    ("The same row as {place}.", "{place}と同じ行です。"),
    ("But for case or punctuation the same row as {place}.",
     "大文字・小文字と句読点を除けば、{place}と同じ行です。"),
    ("Nearly the same as {place} (only case, spaces or punctuation differ).",
     "{place}との違いは、大文字・小文字、空白、句読点だけです。"),
    ("Nearly the same as {place} ({percent}).", "{place}とほぼ同じ行です（一致度{percent}）。"),
    ('The same question as {place}, but "{new}" where that says "{old}".',
     "{place}と同じ質問ですが、{place}の「{old}」が、ここでは「{new}」になっています。"),
    ("The same question as {place}, with another answer.", "{place}と同じ質問ですが、回答が違います。"),
    ("The same question as {place}.", "{place}と同じ質問です。"),
    ("Nearly ({percent}) the same question as {place}.", "{place}とほぼ同じ質問です（一致度{percent}）。"),
    ("The same content words, in another order, as {place}.", "{place}の質問を語順だけ変えたものです。"),
    ("But for courtesies nearly ({percent}) the same question as {place}.",
     "敬語や依頼の表現を除けば、{place}とほぼ同じ質問です（一致度{percent}）。"),
    ("{names} here, {names2} in {place} and {n} more rows.",
     "ここでは{names}ですが、{place}ほか{n}行では{names2}です。"),
    ("{names} here, {names2} in {place}.", "ここでは{names}ですが、{place}では{names2}です。"),
    ('"{said}" for {fact}; the facts say "{right}" ({id}).',
     "「{fact}」が「{said}」となっていますが、事実データでは「{right}」です（{id}）。"),
    # -- the set
    ("{n} of {n2} answers ({percent}) begin alike.", "{n2}件の回答のうち{n}件（{percent}）が同じ書き出しです。"),
    ('{n} rows; the aim "{aim}" wants about {n2}.', "{n}行です。目標「{aim}」の目安は{n2}行です。"),
    ("{n} rows; about {n2} are needed to see an effect.",
     "{n}行しかありません。効果を確かめるには{n2}行ほど必要です。"),
    ("{n} rows: enough to see an effect; about {n2} are needed to be useful.",
     "{n}行あり、効果は確かめられますが、実用には{n2}行ほど必要です。"),
    ('{n} rows on "{topic}", {n2} on "{topic2}".', "「{topic2}」の{n2}行に対し、「{topic}」は{n}行しかありません。"),
    ("The answer itself mixes {n} sentences in {style} with {n2} in {style2}.",
     "1つの回答に、{style}の文が{n}文、{style2}の文が{n2}文混在しています。"),
    ("{n} answers are in {style} and {n2} in {style2}.", "{style}の回答が{n}件、{style2}の回答が{n2}件あります。"),
    ("In {style}, where {n} other answers are in {style2}.",
     "この回答は{style}ですが、ほかの{n}件の回答は{style2}です。"),
    ("In {tongue}, where {n} other rows are in {tongue2}.",
     "この行の質問は{tongue}ですが、ほかの{n}行は{tongue2}です。"),
    ("The question is in {tongue}, the answer in {tongue2}.", "質問は{tongue}ですが、回答は{tongue2}です。"),
    ("The answer changes between Japanese and English.", "回答の途中で日本語と英語が入れ替わっています。"),
    ('{figures} {way} ("{text}"), where {n} rows write them {way2} ("{text2}").',
     "{figures}は{way}（「{text}」）ですが、ほかの{n}行では{way2}（「{text2}」）です。"),
    # -- the file
    ("The file holds no rows.", "ファイルに行がありません。"),
    ("The file is in {encoding}, not in UTF-8; it was read as that.",
     "ファイルの文字コードはUTF-8ではなく{encoding}です。{encoding}として読み込みました。"),
    ("`workshop data convert` writes it in UTF-8.", "workshop data convert でUTF-8に変換できます。"),
    ("the file is an old Excel workbook (.xls).", "旧形式のExcelブック（.xls）です。"),
    ("Save it as .xlsx.", ".xlsx 形式で保存し直してください。"),
    ("the file is a PDF.", "PDFファイルです。"),
    ("Copy the questions and answers into a table or a text.",
     "質問と回答を表かテキストファイルに書き写してください。"),
    ("the file is packed with {packer}.", "{packer}で圧縮されています。"),
    ("Unpack it first.", "先に展開してください。"),
    ("the file is a pickle, which can run code when it is loaded.",
     "pickleファイルです。読み込むとプログラムが実行されるおそれがあります。"),
    ("Export the rows as JSON Lines.", "行をJSON Linesで書き出してください。"),
    ("the file is an SQLite database.", "SQLiteのデータベースです。"),
    ("Export the rows as CSV.", "行をCSVで書き出してください。"),
    ("the file is UTF-16 without a byte order mark, or no text at all.",
     "BOMのないUTF-16か、テキストでないファイルです。"),
    ("the file is no text: it is full of zero bytes.", "テキストではありません。ゼロバイトが多数含まれています。"),
    ("the file is {encoding}, not UTF-8.", "ファイルの文字コードがUTF-8ではなく{encoding}です。"),
    ("the encoding is unknown: as {encoding} it has no kana at all{guess}.",
     "文字コードが分かりません。{encoding}として読んでも、かなが1文字もありません。{guess}"),
    ("the encoding is unknown{guess}.", "文字コードが分かりません。{guess}"),
    ("Save the file again as UTF-8, or name its encoding.",
     "UTF-8で保存し直すか、文字コードを指定してください。"),
    ("not {encoding} (byte {byte}); reading stops here.",
     "{encoding}として正しくないバイト（{byte}）があります。以降は読み込んでいません。"),
    ("not {encoding} (byte {byte}){guess}.", "{encoding}として正しくないバイト（{byte}）があります。{guess}"),
    ("Save the file again as UTF-8.", "UTF-8で保存し直してください。"),
    ("a text holds half of a character (a lone \\ud8xx).",
     "文字の半分だけ（対になっていない \\ud8xx）が含まれています。"),
    ("Write the character itself.", "文字そのものを書いてください。"),
    ("the gzip file is damaged here (Compressed file ended{rest}).", "gzipファイルがここで途切れています。"),
    ("the gzip file is damaged here (CRC check failed{rest}).",
     "gzipファイルが壊れています（チェックサムが一致しません）。"),
    ("the gzip file is damaged here ({rest}).", "gzipファイルがここで壊れています。"),
    ("Download or pack it again.", "ダウンロードし直すか、圧縮し直してください。"),
    ("the gzip file unpacks to more than {n} times its size; reading stops here.",
     "gzipファイルを展開すると{n}倍を超える大きさになります。以降は読み込んでいません。"),
    ("Unpack it by hand if you trust it.", "信頼できるファイルなら、手動で展開してください。"),
    ("a row is larger than {n} MB; reading stops here.", "1行が{n}MBを超えています。以降は読み込んでいません。"),
    ("End each row with a line break, or look for a quotation mark that is not closed.",
     "行ごとに改行を入れるか、閉じていない引用符がないか確認してください。"),
    # -- JSON
    ("not valid JSON at column {n} of line {n2}:", "{n2}行目の{n}文字目がJSONとして正しくありません。"),
    ("not valid JSON at column {n}:", "{n}文字目がJSONとして正しくありません。"),
    ('names and texts need double quotation marks ("), not single ones.',
     "項目名と文字列は、一重引用符ではなく二重引用符（\"）で囲んでください。"),
    ("take away the comma at the end of the line.", "行末のカンマを取り除いてください。"),
    ("the object does not end on this line. Keep each row on one line; write \\n for a line break.",
     "この行でオブジェクトが閉じていません。1件を1行に収め、改行は \\n と書いてください。"),
    ('curly quotation marks; JSON needs straight ones (").',
     "曲がった引用符（“ ”）ではなく、まっすぐな引用符（\"）を使ってください。"),
    ("a tab or another control character in a text; write \\t or a space.",
     "文字列にタブなどの制御文字が含まれています。\\t か空白に置き換えてください。"),
    ("Expecting value.", "ここに値が必要です。"),
    ("Expecting ',' delimiter.", "ここにカンマ（,）が必要です。引用符の閉じ忘れがないかも確認してください。"),
    ("Expecting ':' delimiter.", "項目名の後にコロン（:）が必要です。"),
    ("Expecting property name enclosed in double quotes.", "ここに二重引用符（\"）で囲んだ項目名が必要です。"),
    ("Illegal trailing comma before end of {kind}.", "閉じ括弧の前の余分なカンマを取り除いてください。"),
    ("Extra data.", "1件の後に余分なデータがあります。1行に1件ずつ書いてください。"),
    ("Invalid \\escape.", "\\ の使い方が正しくありません。\\ そのものは \\\\ と書いてください。"),
    ("Invalid \\escape: {rest}.", "\\ の使い方が正しくありません。\\ そのものは \\\\ と書いてください。"),
    ("Invalid \\uXXXX escape.", "\\u の後には16進数を4桁書いてください。"),
    ("a number has thousands of digits.", "数千桁の数値があります。"),
    ("Write it as a text.", "文字列として書いてください。"),
    ("nested too deeply to be a row.", "入れ子が深すぎて行として読めません。"),
    ("Write the row flat.", "入れ子を減らしてください。"),
    ("a {kind} where an object with named fields", "項目名のあるオブジェクトではなく、{kind}が書かれています。"),
    ('such as {{"instruction": …, "output": …}} belongs.',
     '{{"instruction": …, "output": …}} のような形で書いてください。'),
    ("the list does not end.", "リストが閉じていません。"),
    ('Add "]" at the end.', "末尾に「]」を加えてください。"),
    ("something follows the end of the list.", "リストの終わりより後に何か書かれています。"),
    ("Put all rows into one list.", "すべての行を1つのリストにまとめてください。"),
    ("a comma before the end of the list.", "リストの閉じ括弧の前に余分なカンマがあります。"),
    ("Take it away.", "取り除いてください。"),
    ("a comma is missing between two rows.", "行と行の間にカンマがありません。"),
    ('Write "," between the rows of a list.', "リストの行と行の間に「,」を入れてください。"),
    ("the row does not end before the file does.", "行が閉じないままファイルが終わっています。"),
    ("Look for a bracket or a quotation mark that is not closed.",
     "閉じていない括弧や引用符がないか確認してください。"),
    # -- tables
    ("{n} columns where the header has {n2}:", "見出しは{n2}列ですが、この行は{n}列あります。"),
    ('put a text that holds a {mark} in quotation marks ("…").',
     "{mark}を含むセルは引用符（\"…\"）で囲んでください。"),
    ("a quotation mark that opens here is not closed before the end of the file.",
     "ここで始まる引用符が、ファイルの最後まで閉じていません。"),
    ('Close it; write a quotation mark inside a text twice ("").',
     "引用符を閉じてください。セルの中の引用符は2つ続けて（\"\"）書きます。"),
    ("something follows a closing quotation mark.", "閉じ引用符の直後に文字があります。"),
    ('Write a quotation mark inside a text twice ("").', "セルの中の引用符は2つ続けて（\"\"）書いてください。"),
    ("a lone carriage return stands outside quotation marks.", "引用符の外に単独の復帰文字（CR）があります。"),
    ('Put the text in quotation marks ("…").', "セルを引用符（\"…\"）で囲んでください。"),
    ("a zero byte stands in the row.", "行にゼロバイトが含まれています。"),
    ("Delete it.", "削除してください。"),
    ("not valid CSV ({rest}).", "CSVとして正しくありません。"),
    ("Correct the row.", "行を直してください。"),
    ("no columns for the question and the answer are recognised (the header has: {names}).",
     "質問と回答の列が見つかりません（見出し：{names}）。"),
    ('Name them "question" and "answer" (質問, 回答), or name yours with --question-column and --answer-column.',
     "列名を「質問」「回答」（または question、answer）にするか、--question-column と --answer-column で"
     "列を指定してください。"),
    ("the Excel workbook is damaged ({error}).", "Excelブックが壊れています（{error}）。"),
    ("Open it in Excel and save it again as .xlsx.", "Excelで開き、.xlsx 形式で保存し直してください。"),
    ("the workbook unpacks to more than {n} times its size; it is not read.",
     "ブックを展開すると{n}倍を超える大きさになるため、読み込んでいません。"),
    ("Save the sheet as CSV if you trust it.", "信頼できるファイルなら、シートをCSVで保存してください。"),
    ("the Parquet file unpacks to more than {n} times its size; it is not read.",
     "Parquetファイルを展開すると{n}倍を超える大きさになるため、読み込んでいません。"),
    ("Write it again as JSON Lines if you trust it.",
     "信頼できるファイルなら、JSON Linesで書き出し直してください。"),
    ("the Parquet file is damaged or of an unknown kind ({error}).",
     "Parquetファイルが壊れているか、未知の種類です（{error}）。"),
    ("Write it again.", "書き出し直してください。"),
    # -- fields and turns
    ("{turn}: {fault}", "{turn}：{fault}"),
    ('no field "{field}"; "{other}" looks like it:',
     "項目「{field}」がありません。代わりに、よく似た項目「{other}」があります。"),
    ('rename it to "{field}".', "項目名を「{field}」に直してください。"),
    ('no field "{field}" (the row has: {names}).', "項目「{field}」がありません（この行の項目：{names}）。"),
    ('Add "{field}" to the row.', "行に「{field}」を加えてください。"),
    ('"{field}" is a {kind};', "項目「{field}」の値が{kind}です。"),
    ("it must be a text in quotation marks.", "引用符で囲んだ文字列にしてください。"),
    ('"{field}" is empty.', "項目「{field}」が空です。"),
    ("Fill it in or delete the row.", "内容を書くか、行を削除してください。"),
    ('"history" must be a list of pairs [question, answer] of texts.',
     "「history」は、文字列の組 [質問, 回答] のリストでなければなりません。"),
    ("Correct it, or write the row as messages.", "直すか、行を messages 形式で書いてください。"),
    ('"{field}" must be a list of turns with "{field2}" and "{field3}".',
     "「{field}」は、「{field2}」と「{field3}」を持つ発言のリストでなければなりません。"),
    ("Write at least a question and an answer.", "少なくとも質問と回答を1つずつ書いてください。"),
    ("Write at least one turn.", "発言を1つ以上書いてください。"),
    ("{turn} is a {kind}, not an object.", "{turn}がオブジェクトではなく{kind}です。"),
    ('Write {{"role": …, "content": …}}.', '{{"role": …, "content": …}} の形で書いてください。'),
    ('Write {{"from": …, "value": …}}.', '{{"from": …, "value": …}} の形で書いてください。'),
    ('Write {{"role": …, "parts": …}}.', '{{"role": …, "parts": …}} の形で書いてください。'),
    ('{turn} has no "parts".', "{turn}に「parts」がありません。"),
    ('Write "parts": [{{"text": …}}].', '"parts": [{{"text": …}}] の形で書いてください。'),
    ("{turn} calls a tool; only turns of text can be learned here.",
     "{turn}がツール呼び出しです。ここで学習できるのは文字の発言だけです。"),
    ("Delete the row, or write the call into the text.", "行を削除するか、呼び出しを本文に書いてください。"),
    ("{turn} holds a part that is no text; only texts can be learned here.",
     "{turn}に文字以外の部分があります。ここで学習できるのは文字だけです。"),
    ("Delete the row, or leave the text alone.", "行を削除するか、文字だけを残してください。"),
    ('{turn} has the role "{role}";', "{turn}：役割が「{role}」になっています。"),
    ('write "{role} or {role2} or {role3}".', "「{role}」「{role2}」「{role3}」のいずれかにしてください。"),
    ('write "{role} or {role2}".', "「{role}」か「{role2}」にしてください。"),
    ('write "{role}".', "「{role}」にしてください。"),
    ('The role "{role}" is not known.', "役割「{role}」は使えません。"),
    ("{turn} is empty.", "{turn}が空です。"),
    ("The user's turn {n} is empty.", "{n}番目の発言（user）が空です。"),
    ("The assistant's turn {n} is empty.", "{n}番目の発言（assistant）が空です。"),
    ("A system turn stands behind other turns.", "system の発言がほかの発言より後にあります。"),
    ("No assistant's turn: there is no answer to learn.", "assistant の発言がなく、学習する回答がありません。"),
    ("The first turn is the assistant's: nobody has asked.", "最初の発言が assistant で、質問がありません。"),
    ("The last turn is the user's: the answer is missing.", "最後の発言が user で、回答がありません。"),
    ("Two turns of the {role} follow each other (turns {n} and {n2}).",
     "{role} の発言が続いています（{n}番目と{n2}番目）。"),
    ("the last turn is not the assistant's; there is no answer to learn.",
     "最後の発言が assistant ではなく、学習する回答がありません。"),
    ("Add the answer, or delete the turn.", "回答を加えるか、その発言を削除してください。"),
    ("no user turn stands before the answer.", "回答の前に user の発言がありません。"),
    ("Add the question, or delete the row.", "質問を加えるか、行を削除してください。"),
    ("a system turn may only stand first.", "system の発言は先頭にしか置けません。"),
    ("Move it to the start, or delete it.", "先頭に移すか、削除してください。"),
    ("The chat template refuses these messages ({roles}): {reason}",
     "チャットテンプレートがこの発言の並び（{roles}）を受け付けません。テンプレートのメッセージ：「{reason}」"),
    # -- typed questions and answers
    ("an answer stands without a question before it.", "回答の前に質問がありません。"),
    ('Write the question above it, after "Q:".', "回答の上に「Q:」に続けて質問を書いてください。"),
    ("a text stands outside of any question and answer.", "質問にも回答にも属さない文があります。"),
    ('Begin questions with "Q:" and answers with "A:", or delete the line.',
     "質問は「Q:」、回答は「A:」で始めるか、その行を削除してください。"),
    ("a system text stands without a question after it.", "システムの文の後に質問がありません。"),
    ('Write the question below it, after "Q:".', "その下に「Q:」に続けて質問を書いてください。"),
    ("no answer follows this question.", "この質問に回答がありません。"),
    ('Write it below, after "A:", or delete the question.',
     "下に「A:」に続けて回答を書くか、質問を削除してください。"),
    # -- size
    ("The {part} is only {literal}.", "{part}が「{literal}」だけです。"),
    ("The {part} is a single character.", "{part}が1文字だけです。"),
    ("{n} tokens; max_length is {n2}. The prompt alone has {n3}: nothing of the answer would be learned.",
     "{n}トークンあり、max_length（{n2}）を超えています。プロンプトだけで{n3}トークンあるため、"
     "回答はまったく学習されません。"),
    ("{n} tokens; max_length is {n2}. The last {n3} tokens of the answer would be cut.",
     "{n}トークンあり、max_length（{n2}）を超えています。回答の末尾{n3}トークンが切り捨てられます。"),
    # -- content
    ("The answer is the question, word for word.", "回答が質問と一字一句同じです。"),
    ("The answer says the same sentence {n} times.", "回答が同じ文を{n}回繰り返しています。"),
    ('"{said}": an answer that another assistant gave.', "「{said}」は、別のAIが書いた回答の言い回しです。"),
    ('"{said}" was never filled in.', "「{said}」が記入されないまま残っています。"),
    ("White space stands at an end of the answer.", "回答の先頭か末尾に余分な空白があります。"),
    ("{who} holds half of a surrogate pair ({codes}), which UTF-8 cannot store.",
     "{who}に、UTF-8で保存できないサロゲートペアの片方（{codes}）があります。"),
    ("{who} holds {n} {unseen}s: {codes}.", "{who}に{unseen}が{n}個あります：{codes}"),
    ("{who} holds the {unseen}: {codes}.", "{who}に{unseen}「{codes}」があります。"),
    ("Write line ends as \\n alone.", "改行は \\n だけにしてください。"),
    ("{who} holds a character lost in a wrong decoding (U+FFFD �).",
     "{who}に、文字コードの取り違えで失われた文字（U+FFFD �）があります。"),
    ("{who} holds {n} characters lost in a wrong decoding (U+FFFD �).",
     "{who}に、文字コードの取り違えで失われた文字（U+FFFD �）が{n}個あります。"),
    ('{who} is garbled: "{garbled}" was "{right}".', "{who}が文字化けしています。「{garbled}」は本来「{right}」です。"),
    ('{who} is garbled: "{garbled}".', "{who}が文字化けしています：「{garbled}」"),
    ("{who} holds a private-use character ({codes}, 外字), which no font shows alike.",
     "{who}に外字（{codes}）があります。表示はフォントによって変わります。"),
    ("{who} holds the control token {tokens}.", "{who}に特殊トークン「{tokens}」があります。"),
    ("{who} holds the control tokens {tokens}.", "{who}に特殊トークン「{tokens}」があります。"),
    ('the control token "{tokens}" stands in a text.', "文中に特殊トークン「{tokens}」があります。"),
    ("The chat template adds such tokens itself: write the plain text only.",
     "特殊トークンはチャットテンプレートが付けます。通常の文字だけで書いてください。"),
    ("{who} holds script: {tags}", "{who}にスクリプト（{tags}）があります。"),
    ("{who} holds HTML: {tags}", "{who}にHTMLの記述（{tags}）があります。"),
    ("{who} holds {private}: {shown}", "{who}に{private}（{shown}）があります。"),
    # -- the estimate
    ("the speed that was given", "指定された速度"),
    ("no speed is measured for {model}; give a speed with --tokens-per-second, or train on ten rows and see",
     "{model}の速度は未測定です。--tokens-per-second で指定するか、10行で試しに学習して測ってください。"),
    ("no measured speed is at hand; give a speed with --tokens-per-second, or train on ten rows and see",
     "測定済みの速度がありません。--tokens-per-second で指定するか、10行で試しに学習して測ってください。"),
    ("{record}: {model}, {n} rows, on {cpu}, {n2} cores", "{record}（{model}、{n}行、{cpu}・{n2}コアで測定）"),
)  # fmt: skip

# The parts of how a file was read, each a sentence of its own.
_CONTAINERS: tuple[tuple[str, str], ...] = (
    ("{container}, by its first bytes", "先頭のバイト列から{container}と判断。"),
    ("{container}, by its name; {coded}", "ファイル名から{container}と判断。{coded}"),
    ("{container}, by its name", "ファイル名から{container}と判断。"),
    ("{container}, since it begins with a bracket; {coded}", "角括弧で始まるため{container}と判断。{coded}"),
    ("{container}, since it begins with an object over several lines; {coded}",
     "複数行にわたるオブジェクトで始まるため{container}と判断。{coded}"),
    ("{container}, since each line begins an object; {coded}",
     "各行がオブジェクトなので{container}と判断。{coded}"),
    ("{container}, since it begins neither a list nor an object; {coded}",
     "リストでもオブジェクトでも始まらないため{container}と判断。{coded}"),
    ("{container}, by its marks of questions and answers; {coded}",
     "質問と回答の見出しがあるため{container}と判断。{coded}"),
    ("{container}, by the names in its first line; {coded}", "1行目の列名から{container}と判断。{coded}"),
    ("{container}, having no known suffix; {coded}", "拡張子から種類が分からないため{container}と判断。{coded}"),
)  # fmt: skip
_CODINGS: tuple[tuple[str, str], ...] = (
    ("UTF-8, by its byte order mark", "BOMがあるためUTF-8と判断。"),
    ("{encoding}, by its escape sequences", "エスケープシーケンスから{encoding}と判断。"),
    ("UTF-8, having ASCII characters only", "ASCII文字だけなのでUTF-8と判断。"),
    ("UTF-8, since its bytes are valid as such", "バイト列がUTF-8として正しいためUTF-8と判断。"),
    ("UTF-8, though not all of its bytes are valid as such", "一部に正しくないバイトがあるが、UTF-8と判断。"),
    ("{encoding}, since it is not valid UTF-8 and reads as Japanese (more so than as {encoding2})",
     "UTF-8ではなく、{encoding2}より{encoding}のほうが日本語として読めるため{encoding}と判断。"),
    ("{encoding}, as asked for", "指定に従って{encoding}として読み込み。"),
)  # fmt: skip
_ROWS: tuple[tuple[str, str], ...] = (
    ("unknown, no row could be read", "読み取れた行がなく、行の形式は不明。"),
    ("{format}, as asked for", "指定に従って{format}形式として読み込み。"),
    ("{format}, by the marks of questions and answers", "質問と回答の見出しに従って読み込み。"),
    ("{format}, by the columns given", "指定された列から読み込み。"),
    ('{format}, by the columns "{field}" and "{field2}"', "列「{field}」「{field2}」から{format}形式と判断。"),
    ('{format}, by "{field}" and "{field2}"', "項目「{field}」「{field2}」から{format}形式と判断。"),
    ('{format}, by "{field}"', "項目「{field}」から{format}形式と判断。"),
    ("unknown, {why}", "{why}"),
)  # fmt: skip


def japanese(text: str) -> str:
    """A message, an advice or a reason in Japanese; as it is where it is not known."""
    return _said(_SENTENCES, text)


@lru_cache(maxsize=1024)
def _said(sentences: tuple[tuple[str, str], ...], text: str) -> str:
    for pattern, template in _compiled(sentences):
        found = pattern.fullmatch(text)
        if found:
            values = {name: _kind(name)[1](value) for name, value in found.groupdict().items()}
            return template.format(**values)
    return text


@lru_cache(maxsize=8)
def _compiled(sentences: tuple[tuple[str, str], ...]) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(_pattern(english), re.DOTALL), template) for english, template in sentences]


def _pattern(english: str) -> str:
    parts = []
    for literal, name, _, _ in Formatter().parse(english):
        parts.append(re.escape(literal))
        if name is not None:
            parts.append(f"(?P<{name}>{_kind(name)[0]})")
    return "".join(parts)


# -- values --------------------------------------------------------------------------------------


def _kind(name: str) -> tuple[str, Callable[[str], str]]:
    return _VALUES.get(name.rstrip("0123456789"), (".*?", str))


def _named(names: dict[str, str]) -> Callable[[str], str]:
    return lambda value: names.get(value, value)


def _any(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, words))


def _place(value: str) -> str:
    found = re.fullmatch(r"line ([\d,]+)(?: of (.+))?", value, re.DOTALL)
    if not found:
        return value
    file = f"{Path(found[2]).name} の" if found[2] else ""
    return f"{file}{int(found[1].replace(',', '')):,}行目"


def _turn(value: str) -> str:
    found = re.fullmatch(r'turn (\d+) of "(.+)"', value)
    return f"「{found[2]}」の{found[1]}番目の発言" if found else f"「{value.strip(chr(34))}」"


def _who(value: str) -> str:
    name, _, turn = value.partition(" (turn ")
    said = {"The question": "質問", "The answer": "回答", "The system prompt": "システムプロンプト"}
    return said.get(name, "発言") + (f"（{turn.rstrip(')')}番目の発言）" if turn else "")


def _names(value: str) -> str:
    found = re.findall('"(.*?)"(?=, "|$)', value, re.DOTALL)
    return "".join(f"「{name}」" for name in found) or "なし"


def _literal(value: str) -> str:
    try:
        return str(literal_eval(value))
    except (ValueError, SyntaxError):
        return value


_CODE_NAMES = {
    "bell": "ベル", "backspace": "バックスペース", "vertical tab": "垂直タブ", "form feed": "改ページ",
    "carriage return": "復帰", "escape": "エスケープ", "delete": "削除", "next line": "次の行",
    "soft hyphen": "ソフトハイフン", "zero-width space": "ゼロ幅スペース", "line separator": "行区切り",
    "paragraph separator": "段落区切り", "word joiner": "単語結合子", "byte order mark": "BOM",
}  # fmt: skip


def _codes(value: str) -> str:
    value = value.replace(", ", "、")
    return re.sub(
        r" \(([A-Za-z -]+)\)", lambda found: f"（{_CODE_NAMES.get(found[1], found[1])}）", value
    )


def _guess(value: str) -> str:
    found = re.fullmatch(r"; it (looks like|may be) (.+)", value)
    if not found:
        return value
    name = _encoding(found[2].replace(" (Western European)", "（西欧）"))
    return f"{name}のようです。" if found[1] == "looks like" else f"{name}かもしれません。"


def _encoding(value: str) -> str:
    return SPOKEN.get(value, value).replace("Shift_JIS (CP932)", "Shift_JIS（CP932）")


_PRIVATE = {
    "an e-mail address": "メールアドレス", "a firm's e-mail address": "企業の窓口のメールアドレス",
    "a telephone number": "電話番号", "a service telephone number": "フリーダイヤルなどの電話番号",
    "a card number": "カード番号", "a My Number": "マイナンバー",
    "a US Social Security number": "米国の社会保障番号", "a postal code": "郵便番号",
    "a postal address": "住所", "a person's name": "個人名", "a private key": "秘密鍵",
    "a password": "パスワード", "a password in a URL": "URL中のパスワード",
    "what looks like a key": "キーらしい文字列", "a JSON web token": "JSON Web Token",
}  # fmt: skip
_KEYS = {
    "access key": "アクセスキー", "access token": "アクセストークン", "bot token": "ボットトークン",
    "webhook": "Webhook URL", "token": "トークン", "key": "キー",
}  # fmt: skip


def _private(value: str) -> str:
    if value in _PRIVATE:
        return _PRIVATE[value]
    found = re.fullmatch(rf"an? (.+?) ({'|'.join(_KEYS)})", value)
    return f"{found[1]}の{_KEYS[found[2]]}" if found else value


_CONTAINER_NAMES = {
    "a JSON list": "JSONのリスト",
    "an Excel workbook": "Excelブック",
    "plain text": "テキスト",
}


def _container(value: str) -> str:
    inside = value.removeprefix("gzip of ")
    name = _CONTAINER_NAMES.get(inside, inside)
    return name if inside == value else f"gzip圧縮の{name}"


def _read(value: str) -> str:
    said = _said(_CONTAINERS, value)
    return said if said != value else japanese(f"{value}.")  # why the file cannot be read


_UNSEEN = {
    "control character": "制御文字", "invisible character": "不可視文字",
    "Windows line end": "Windowsの改行",
}  # fmt: skip
_STYLES = {
    "です・ます": "敬体（です・ます）", "plain form": "常体", "plain form (だ・である)": "常体（だ・である）",
}  # fmt: skip
_FIGURES = {
    "Thousands": "数値の桁区切り", "Yen": "円の金額", "Digits": "数字", "Dates": "日付", "Times": "時刻",
}  # fmt: skip
_WAYS = {
    "with commas": "カンマあり", "without commas": "カンマなし", "in half width": "半角", "in full width": "全角",
    "as Y/M/D": "「年/月/日」形式", "as M/D/Y": "「月/日/年」形式", "as Y-M-D": "「年-月-日」形式",
    "as Month D, Y": "英語の「月 日, 年」形式", "as D Month Y": "英語の「日 月 年」形式",
    "as 9 a.m.": "「9 a.m.」形式", "as 9:00": "「9:00」形式", "as 9時": "「9時」形式",
    "as 年月日": "「年月日」形式", "as 円": "「円」表記", "as ¥": "「¥」表記",
}  # fmt: skip
_KINDS = {
    "object": "オブジェクト", "list": "リスト", "array": "リスト", "text": "文字列", "number": "数値",
    "true/false": "真偽値", "null": "null",
}  # fmt: skip
_MARKS = {"comma": "カンマ", "tab": "タブ", "semicolon": "セミコロン"}
_TONGUES = {"English": "英語", "Japanese": "日本語"}
_PARTS = {"question": "質問", "answer": "回答"}

# What a value may be in the English sentence, and how it is said in the Japanese one.
_VALUES: dict[str, tuple[str, Callable[[str], str]]] = {
    "n": (r"[\d,]+", str),
    "percent": (r"\d+%", str),
    "place": (r"line \d.*?", _place),
    "turn": (r'turn \d+ of "\w+"|"systemInstruction"', _turn),
    "fault": (".+", japanese),
    "why": (".+", lambda value: japanese(f"{value}.")),
    "who": (r"(?:The question|The answer|The system prompt|A turn)(?: \(turn \d+\))?", _who),
    "names": ('none|".+"', _names),
    "literal": (".+", _literal),
    "codes": (r"U\+.+", _codes),
    "unseen": (_any(_UNSEEN), _named(_UNSEEN)),
    "private": (r"[^:]+", _private),
    "style": (".+?", _named(_STYLES)),
    "tongue": (_any(_TONGUES), _named(_TONGUES)),
    "figures": (_any(_FIGURES), _named(_FIGURES)),
    "way": (_any(_WAYS), _named(_WAYS)),
    "kind": (_any(_KINDS), _named(_KINDS)),
    "mark": (_any(_MARKS), _named(_MARKS)),
    "part": (_any(_PARTS), _named(_PARTS)),
    "encoding": (".+?", _encoding),
    "guess": ("(?:; it .+)?", _guess),
    "rest": (".*", str),
    "container": ("(?:gzip of )?[^,;]+", _container),
    "coded": (".+", lambda value: _said(_CODINGS, value)),
    "read": (".+?", _read),
    "format": ("[^,;]+", str),
    "rows": (".+", lambda value: _said(_ROWS, value)),
}

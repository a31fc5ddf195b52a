"""Personal data is found in both languages, look-alikes are left alone, and masks hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workshop_helpers.dataset.checks import prefilter
from workshop_helpers.dataset.checks.check import check_texts
from workshop_helpers.dataset.checks.findings import Finding
from workshop_helpers.dataset.checks.personal import find_personal, hide, mask
from workshop_helpers.dataset.checks.personal.numbers import is_my_number, luhn
from workshop_helpers.dataset.checks.row import CheckedRow
from workshop_helpers.dataset.formats import Conversation, Message, read_conversations


def row(answer: str, question: str = "?") -> Conversation:
    return Conversation((Message("user", question), Message("assistant", answer)), "rows.jsonl", 7)


def check_personal(conversation: Conversation) -> list[Finding]:
    found = check_texts(CheckedRow(0, conversation))
    return [one for one in found if one.rule.startswith("pii-")]


def rules(text: str) -> set[str]:
    """What the check says of a question, through its quick first look."""
    return {found.rule for found in check_personal(row("OK.", text))}


MY = next(f"12345678901{d}" for d in range(10) if is_my_number(f"12345678901{d}"))

# Invented throughout: 555-01xx and Ofcom's drama numbers, the networks' own test cards.
FOUND = {
    "pii-email": [
        "Write to taro.yamada@mame-mart.com please.",
        "My address is j.smith+orders@mail.mame-mart.co.uk.",
        "連絡先はhanako_suzuki@mame-mart.jpです。", "メール：ｔａｒｏ＠ｍａｍｅ．ｃｏｍ",
        "<emily.brown@mame-mart.org> wrote:", "mailto:k.tanaka@mame-mart.com",
        "taro@mame-mart.com、またはお電話で。", "Send it to bob@mame-mart.com.",
        "Email: ALICE.JONES@MAME-MART.NET", "（suzuki@mame-mart.ne.jp）", "a@b.mame-mart.com",
        "info@mame-mart.com", "user@mame-mart.com",
        "メールアドレスは\nichiro-1984@mail.mame-mart.com\nです",
        "reply to o'brien.kate@mame-mart.ie today",
    ],
    "pii-phone": [
        "電話番号は03-1234-5678です。", "090-1234-5678までお電話ください。", "携帯 08012345678",
        "TEL:0466-12-3456", "TEL06-6123-4567", "Ｔｅｌ０９０−１２３４−５６７８",
        "０３（１２３４）５６７８におかけください。", "(03) 1234-5678", "03(1234)5678",
        "070 1234 5678 に連絡", "070‐1234‐5678に連絡", "電話：03－1234－5678", "050-3123-4567",
        "国際電話は+81 90-1234-5678", "+81-3-1234-5678", "045-123-4567へお願いします",
        "04992-2-1234", "FAX：011-234-5678", "フリーダイヤルは0120-123-456です。", "0120-12-3456",
        "ナビダイヤル 0570-012-345", "0800-123-4567", "090-0000-0000", "Call (212) 555-0143 now.",
        "My number is 212-555-0143.", "212.555.0143", "+1 212 555 0143", "+1-212-555-0143",
        "1-800-555-0199", "phone: 2125550143", "My cell is 415 555 0132", "Call me at 555-0123.",
        "555-123-4567", "My number: (555) 123-4567.",
        "+44 20 7946 0958", "020 7946 0958", "Phone 0131 496 0456", "mobile 07700 900123",
        "電話 0312345678", "ご連絡先：090-1234-5678（山田）",
    ],
    "pii-card": [
        "カード番号は4242 4242 4242 4242です。", "card 4111-1111-1111-1111", "5555555555554444",
        "My Amex is 3782 822463 10005.", "378282246310005", "JCB 3530 1113 3330 0000",
        "3566002020360505", "6011 1111 1111 1117", "Diners 3056 930902 5904",
        "４２４２−４２４２−４２４２−４２４２", "2223 0031 2200 3222", "UnionPay 6200000000000005",
        "Visa card 4222222222222", "支払いは4012-8888-8888-1881でお願いします",
    ],
    "pii-my-number": [
        f"マイナンバーは{MY}です。", f"個人番号：{MY[:4]}-{MY[4:8]}-{MY[8:]}",
        f"My Number: {MY[:4]} {MY[4:8]} {MY[8:]}", f"my number is {MY}",
        f"マイナンバー（個人番号）\n{MY}",
    ],
    "pii-ssn": ["My SSN is 078-05-1120.", "Social Security: 219-09-9999", "078-05-1120"],
    "pii-postal-code": [
        "〒100-0001", "〒1000001 に送ってください", "郵便番号は150-0041です。", "住所：160-0022",
        "100-0001 東京都千代田区", "〒５３０−０００１", "Springfield, IL 62704",
        "Portland, OR 97201-1234", "My ZIP code is 94105.", "London SW1A 2AA", "postcode: M1 1AE",
        "Postcode EC1A 1BB", "郵便番号：1500041",
    ],
    "pii-address": [
        "東京都渋谷区神南1-2-3", "住所は大阪府大阪市北区梅田三丁目1番1号です。",
        "北海道札幌市中央区北1条西2丁目", "京都府京都市中京区本能寺前町488番地",
        "千代田区丸の内1-1-1", "神奈川県横浜市西区みなとみらい2-3-1",
        "埼玉県さいたま市大宮区桜木町1-7-5 まめビル301", "福岡県福岡市博多区博多駅前２−１−１",
        "愛知県名古屋市中村区名駅4丁目5番6号", "お届け先は世田谷区三軒茶屋2-11です",
        "長野県北佐久郡軽井沢町大字長倉12番地", "123 Main Street, Springfield",
        "I live at 45 Oak Avenue.", "Ship it to 1600 Maple Ave, Apt 4B", "221B Baker Street",
        "10 Downing Street, London", "350 5th Avenue, New York, NY", "742 Evergreen Terrace",
        "9 Elm Close, Oxford, OX1", "deliver to 8 Willow Court", "P.O. Box 1234", "PO Box 77",
        "12 St. Marys Road",
    ],
    "pii-name": [
        "山田様、ご注文ありがとうございます。", "山田太郎様", "鈴木 一郎 様",
        "佐藤花子さんから連絡がありました。", "田中さんが来ました。", "高橋氏によると",
        "担当の渡辺様", "担当者伊藤様", "株式会社中村様", "小林　さくら様",
        "マイケル・ジョンソン様", "スミス氏", "氏名：加藤健一", "お名前：吉田 美咲",
        "名前は松本です。", "長谷川と申します。", "私は佐々木健と申します。", "宛名：井上",
        "勅使河原様", "佐藤部長様", "斎藤君", "林様", "御子柴 蓮 様", "Dear John,",
        "Dear Emily Brown:", "Mr. Smith called.", "Mrs Jones is here", "Ms. Garcia-Lopez",
        "Dr. Watson will see you.", "Miss Marple asked", "My name is John Smith.",
        "my name is john smith", "Hello, my name is Priya.", "Full name: Harold Finch",
        "Customer name: Zelda Quartz", "Name: Emma Stone", "Best regards,\nKevin Hart",
        "Sincerely,\n\nLaura Palmer\n",
    ],
}  # fmt: skip


@pytest.mark.parametrize("rule", FOUND)
def test_personal_data_is_found(rule: str) -> None:
    assert [text for text in FOUND[rule] if rule not in rules(text)] == []


LEFT_ALONE = [
    "お客様のご負担となります。", "皆様のご来店をお待ちしております。",
    "奥様へのプレゼントにいかがですか。", "神様、仏様、お殿様。", "王様のブランチ",
    "会員様には10%の割引がございます。", "業者様、取引先様、出店者様",
    "製品の仕様と模様は多様です。", "同様の様子です。", "様々な商品をご用意しています。",
    "様式1に記入してください。", "店員さんと配達員さんに聞きました。",
    "お母さんとお父さん、お兄さん", "本屋さん、パン屋さん、八百屋さん", "たくさんのご注文",
    "さんまの塩焼き", "お客さんが来ました。", "氏名を入力してください。",
    "お名前をご記入ください。", "お名前：", "氏名：（全角）", "摂氏25度、華氏77度、セ氏",
    "彼氏へのギフト", "源氏物語と平氏", "諸氏、両氏、某氏", "ユーザー様、オーナー様、メーカー様",
    "パートナー様各位", "スタッフさんに声をかけてください。", "鈴木商店様", "本田技研様",
    "佐藤建設様", "山口県様", "松本市様", "名前はまだありません。", "名前は商品の横にあります。",
    "担当：サポート窓口", "宛名：上様", "仕様書の名称", "森林浴と原材料", "小林一茶の俳句",
    "田中角栄は首相でした。", "山田錦のお酒", "殿堂入りの商品", "君主制", "清水寺と金閣寺",
    "送料は500円です。", "合計は12,980円です。", "5,000円以上で送料無料", "税込1,234,567円",
    "2024年1月15日に発送しました。", "2024-01-15", "2024/01/15 10:30", "2024-01-15 10:30:45",
    "令和6年4月1日", "営業時間は9:00〜18:00です。", "10:00-19:00", "2〜4営業日でお届けします。",
    "5-7日かかります。", "注文番号は123456789012です。", "注文番号：4929-1234-5678",
    "注文番号 250-1234567-1234567", "お問い合わせ番号 1234-5678-9012", "伝票番号：3948-1234-5678",
    "追跡番号 394812345678", "追跡番号：0312345678", "送り状番号 4242424242424242",
    "会員番号：09012345678", "予約番号は0312345678です", "商品番号：4242-4242-4242-4242",
    "品番 ABC-123-4567", "型番：WH-1000XM5", "JANコード 4901234567894", "4902102072618",
    "ISBN 978-4-06-519981-4", "ISBN4-06-519981-5", "ISBN: 0306406152",
    "〒マークを入力してください。", "郵便番号を入力してください。", "郵便番号は7桁です。",
    "100-2000個", "3-5人用", "1-2-3の順に", "東京都には23区があります。",
    "東京都の送料は500円です。", "東京都内なら1-2日で届きます。", "大阪市まで2-3日かかります。",
    "千葉市で3-4時間", "横浜市の人口は377万人です。", "北海道は1,200円、沖縄県は1,500円です。",
    "たけのこ市場の営業は9:30-17:00です。", "区分1-2", "市販の3-4倍", "町内会の5-6人",
    "村上春樹の本を2冊", "東京23区は翌日配送です。", "新宿区の店舗は10-20時に開いています。",
    "名古屋市立大学", "3丁目の角", "容量は128-256GBです", "第3回、第10位", "1番2番3番",
    "2番線の電車", "マイナンバーカードをお持ちください。", "マイナンバーは12桁です。",
    "マイナンバー：000000000000", "個人番号は記入しないでください。123456789012",
    "カード番号は16桁です。", "カード番号は1234 5678 9012 3456です",
    "クレジットカード（VISA、JCB）が使えます。", "****-****-****-4242", "カード下4桁は4242です。",
    "電話番号を教えてください。", "電話は10時から18時までです。", "電話受付：9:00-18:00",
    "電話 12-34", "ポイントは1,000,000,000ポイント", "円周率は3.14159265358979",
    "0.4242424242424242", "光速は299792458 m/s", "内線1234", "バージョン1.2.3.4567",
    "約3000-4000円", "2,980円（税込3,278円）", "郵便番号の例：000-000",
    "お届け先の変更は24時間以内", "@mamemart をフォロー", "メール@ドメイン", "SNSの@マーク", "a@b",
    "山の高さは3776m", "気温は25.5度、湿度60%", "12345678", "1234567890", "西暦2024 2025 2026",
    "ご注文確認メールをご覧ください。", "The total is $6.99.", "Orders over $1,234.56 ship free.",
    "It costs 1,000,000 dollars.", "We are open from 9:00 to 18:00.",
    "Delivery takes 2-4 business days.", "On 2024-01-15 we shipped it.",
    "On 01/15/2024 at 10:30 AM", "15-01-2024", "January 15, 2024", "Order 123-4567890-1234567",
    "Order number 2125550143", "Order #4242424242424242", "Tracking: 1Z999AA10123456784",
    "Tracking number 9400111899223197428490", "Invoice 078-05-1120", "invoice 2024-0001-0002",
    "Ticket 555-0123", "Serial 4111111111111111", "SKU 123-456-7890", "Part no. 12-3456-7890",
    "ISBN 978-0-306-40615-7", "ISBN-10: 0306406152", "ISBN 0-306-40615-2", "UPC 036000291452",
    "Model 700-1200", "Version 3.11.7 and 2.0.0-rc1", "Python 3.11.4 (main, Jun 7 2023)",
    "IP 192.168.100.200", "127.0.0.1:8080", "255.255.255.255", "10.0.0.1/24",
    "fe80::1ff:fe23:4567:890a", "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "550e8400-e29b-41d4-a716-446655440000", "sha256 e3b0c44298fc1c149afbf4c8996fb924", "1700000000",
    "1700000000000", "timestamp 2024-01-15T10:30:45Z", "pi is 3.141592653589793", "6.02214076e23",
    "speed 299,792,458 m/s", "1-2-3-4-5", "1234 5678", "4-4-4-4", "0000 0000 0000 0000",
    "1111-2222-3333-4444", "**** **** **** 4242", "The last four digits are 4242.", "555-0123",
    "999-99-9999", "000-12-3456", '@app.route("/")', "@dataclass", "user@host",
    "git@github.com:mame/mart.git", "ssh root@localhost", "numpy: x@w.T", "a @ b.mean()",
    "X@W.mean()", "logo@2x.png", "npm i left-pad@1.3.0", "pip install requests==2.31.0",
    "Follow @mamemart on social media.", "foo@bar", "Dear Customer,", "Dear Sir or Madam,",
    "Dear valued customer,", "Dear Hiring Manager,", "Dear Team,", "Dear Santa,", "Dear all,",
    "Dear [Name],", "Dear {first_name},", "Oh dear, that is bad.", "Mr. Coffee machines",
    "Dr. Pepper", "Dr. Martens boots", "Mr. Clean", "MRI scans and Ms",
    "My name is misspelled on the order.", "My name is not on the list.", "my name is wrong",
    "The name is required.", "Name: Coffee Maker", "Product name: Rose Garden",
    "File name: report.pdf", 'name: str = "x"', "Best regards,", "Mame Mart Team", "Thanks,",
    "The Support Team", "Missing items and mistakes", "Top 10 Wall Street firms",
    "2 Google Drive accounts", "3 Hard Drive bays", "5 Star Way", "In 2024 The Road was long.",
    "24 Hour Drive", "I have 3 Questions Place", "Step 1 Open the Settings",
    "the 1990s Street style", "20 Best Way to learn", "Windows 11 Pro", "iPhone 15 Pro Max",
    "Boeing 747", "Top 5 Places", "Room 101", "Section 4.2.1", "Chapter 12 Drive",
    "Level 3 Road map is missing", "Box 12 is empty.", "Size M 12 AB", "Part AB12 3CD",
    "Plan A1 2BC", "IL 62704", "The code is 94105.", "about 62704 rows", "x = 1234567890123456",
    "for i in range(1000000):", "data[100:200]", 'print(f"{x:010.3f}")', "hex 0xDEADBEEF1234",
    "chmod 755 file", "HTTP 404 and 500", "port 8080", "ffmpeg -r 30 -s 1920x1080",
    "RGB 255, 128, 0", "#112233", "1,2,3,4,5,6,7,8,9,10,11,12", "8-10 weeks", "$10-$20", "555",
    "(123) 45", "+5 points", "John Doe", "https://example.com/p/03-1234-5678",
    "Write to taro.yamada@example.com.", "連絡先はhanako@example.jpです。",
    "例：user@example.co.jp", "a@example.com, b@example.net,c@EXAMPLE.org;d@x.test",
    "root@printer.invalid", "me@mame.example", "ｔａｒｏ＠ｅｘａｍｐｌｅ．ｃｏｍ",
    "例如user@example.com就可以。", "Dr. Doe's", "甲野薫様", "000-000-0000",
    "https://example.com/orders/4242424242424242",
]  # fmt: skip


def test_look_alikes_are_left_alone() -> None:
    assert [(text, found) for text in LEFT_ALONE if (found := rules(text))] == []
    assert [text for text in LEFT_ALONE if mask(text) != (text, 0)] == []


@pytest.mark.parametrize("rule", FOUND)
def test_what_was_found_is_masked_and_stays_masked(rule: str) -> None:
    for text in FOUND[rule]:
        masked, count = mask(text)
        assert count >= 1 and masked != text
        assert mask(masked) == (masked, 0)
        assert rule not in rules(masked), (text, masked)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("taro.yamada@mame-mart.com", r"[a-z]+@example\.com"),
        ("ask support@mame-mart.com", r"ask support@example\.com"),
        ("call 555-123-4567", "call 000-000-0000"), ("+44 20 7946 0958", r"\+00 00 0000 0000"),
        ("4242 4242 4242 4242", "0000 0000 0000 0000"), ("鈴木 一郎 様", "(..) . 様"),
        ("山田太郎様と田中様、山田様", r"(..).様と(?!\1)(..)様、\1様"),
        ("マイケル・ジョンソン様", "[ァ-ヴー]+・[ァ-ヴー]+様"),
        ("Dr. Morgan's aim; Mr. Lincoln is a rose", r"Dr\. (\w+)'s aim; Mr\. (?!\1)\w+ is a rose"),
        ("Dear Emily Brown,\nMs. Brown's", r"Dear \w+ (\w+),\nMs\. \1's"),
        ("my name is priya", "my name is [a-z]+"), ("Miss O'Brien's cat", r"Miss \w+'s cat"),
        ("〒150-0041 東京都渋谷区神南1-2-3", "〒000-0000 東京都渋谷区中央0-0-0"),
        ("大阪府大阪市北区梅田三丁目1番1号", "大阪府大阪市北区中央0-0-0"),
        ("at 45 Oak Avenue, Springfield, IL", "at 0 Main Street, Springfield, IL"),
        ("PO Box 77", "PO Box 00"),
        ("電話０９０−１２３４−５６７８", "電話０００−００００−００００"),
    ],
)  # fmt: skip
def test_masks_are_stand_ins_that_read_as_text(text: str, masked: str) -> None:
    assert re.fullmatch(masked, mask(text)[0]), mask(text)


def test_a_report_tells_one_from_another() -> None:
    text = "Dear Emily Brown, 山田太郎様, 090-1234-5678, taro@mame-mart.com"
    assert hide(text) == "Dear E**** B****, 山***様, ***-****-5678, t…@m…"


def test_a_person_named_twice_is_one_finding() -> None:
    (found,) = check_personal(
        row("Dr. Morgan's aim is clear to Dr. Morgan, but not to Dr. Morgan.")
    )
    assert "M*****" in found.message and "'s aim" in found.excerpt


def test_masks_keep_prices_and_dates_beside_personal_data() -> None:
    text = "山田太郎様、2024年1月15日のご注文12,980円を090-1234-5678へ。2024-01-15、$6.99、10:30"
    masked, count = mask(text)
    assert count == 2
    for kept in ("2024年1月15日", "12,980円", "2024-01-15", "$6.99", "10:30"):
        assert kept in masked


def test_secrets_are_masked_too() -> None:
    key = "ghp_" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"
    masked, count = mask(f"token: {key}")
    assert count == 1 and key[8:] not in masked and "ghp_…" in masked
    assert mask(masked) == (masked, 0)


def test_findings_show_no_personal_data() -> None:
    text = "山田太郎様 090-1234-5678 taro@mame-mart.com 4242 4242 4242 4242"
    found = check_personal(row(text))
    assert {f.rule for f in found} == {"pii-name", "pii-phone", "pii-email", "pii-card"}
    for one in found:
        assert (one.file, one.line) == ("rows.jsonl", 7)
        for hidden in ("太郎", "1234", "taro", "4242 4242"):
            assert hidden not in one.message + one.excerpt


@pytest.mark.parametrize(
    ("text", "rule", "severity"),
    [
        ("taro@mame-mart.com", "pii-email", "warning"),
        ("support@mame-mart.com", "pii-email", "note"), ("alice@email.com", "pii-email", "note"),
        ("your_email@gmail.com", "pii-email", "note"), ("555-123-4567", "pii-phone", "note"),
        ("Dr. Morgan's", "pii-name", "note"), ("Dear Emily,", "pii-name", "note"),
        ("Dear Emily Brown,", "pii-name", "warning"),
        ("Yours sincerely,\nEmily Brown", "pii-name", "note"),
        ("400-820-8820", "pii-phone", "note"),
        ("Full name: Ada Byron", "pii-name", "warning"),
        ("090-1234-5678", "pii-phone", "warning"),
        ("0120-123-456", "pii-phone", "note"), ("1-800-555-0199", "pii-phone", "note"),
        ("カード 4242424242424242", "pii-card", "error"),
        ("Stripe's test card 4242424242424242", "pii-card", "warning"),
        (f"マイナンバー {MY}", "pii-my-number", "error"), ("山田様", "pii-name", "warning"),
        ("山田さん", "pii-name", "note"), ("山田太郎さん", "pii-name", "warning"),
    ],
)  # fmt: skip
def test_severity_says_how_grave_it_is(text: str, rule: str, severity: str) -> None:
    assert [(f.rule, f.severity) for f in check_personal(row(text))] == [(rule, severity)]


def test_an_assistants_own_name_is_no_personal_data() -> None:
    assert check_personal(row("My name is Aria Green.")) == []
    assert {f.rule for f in check_personal(row("OK.", "My name is Aria Green."))} == {"pii-name"}


def test_every_turn_is_looked_at_and_named() -> None:
    turns = ("system", "user", "assistant", "user", "assistant")
    texts = ("Be kind.", "Hi", "Hello", "It is taro@mame-mart.com", "Thanks")
    (found,) = check_personal(Conversation(tuple(map(Message, turns, texts)), "a", 1))
    assert "turn 4" in found.message


def test_check_digits_follow_their_definitions() -> None:
    assert luhn("79927398713") and not luhn("79927398714")
    assert is_my_number("123456789018") and not is_my_number("123456789019")
    assert sum(is_my_number("98765432109"[:11] + d) for d in "0123456789") == 1


MARKS = ["*", "…", "@", " ", "-", "\n", "様", "0", "1", "市", "　", "+", "(", ")", "."]
PIECES = st.sampled_from([text for texts in FOUND.values() for text in texts] + LEFT_ALONE + MARKS)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.lists(PIECES, max_size=6).map("".join), st.text(max_size=60)))
def test_masking_twice_is_masking_once(text: str) -> None:
    masked, _ = mask(text)
    assert mask(masked) == (masked, 0)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=5).map("|".join))
def test_the_quick_look_misses_nothing(text: str) -> None:
    kinds, found = prefilter.personal_signs(text), find_personal(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefilter, "personal_signs", lambda _: prefilter.PERSONAL)
        whole = find_personal(text)
    assert found == whole and (kinds or not whole)


@pytest.mark.parametrize(
    "piece",
    ["1-", "12 ", "あ市", "山田", "アイ・", "12 Aa ", "a@b.", "東京都渋谷区", "(1", "Dear Aa "],
)
def test_long_texts_do_not_take_forever(piece: str) -> None:
    # Quadratic time would be minutes here; the suite's time limit is the judge.
    find_personal(piece * 3000)


def test_half_characters_do_not_stop_the_check() -> None:
    assert check_personal(row("a\ud800b")) == []
    assert {f.rule for f in check_personal(row("\ud800 taro@mame-mart.com"))} == {"pii-email"}


def test_rows_read_from_json_are_checked_as_written(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"instruction": "田中様へ", "output": "a@mame-mart.com"}) + "\n")
    (conversation,) = read_conversations(file)
    assert {f.rule for f in check_personal(conversation)} == {"pii-name", "pii-email"}

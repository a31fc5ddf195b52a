"""Facts are read, an answer must say every value of one, and faults of a facts file are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from workshop_helpers.core.errors import WorkshopError
from workshop_helpers.metrics.facts import ShopFacts

SHOP = """
shop:
  name: {en: "Blue Lantern", ja: "青いランタン"}
facts:
  - id: shipping_fee
    topic: shipping
    name: {en: "the shipping fee", ja: "送料"}
    statement: {en: "Standard shipping: $6.99", ja: "通常送料：￥500"}
    values: {en: ["$6.99"], ja: ["￥500"]}
  - id: return_window
    topic: returns
    name: {en: "the return window", ja: "返品期間"}
    statement: {en: "Returns within 14 days", ja: "返品は14日以内"}
    values: {en: [["14 days", "two weeks"]], ja: [["14日", "2週間"]]}
  - id: points_rate
    topic: points
    name: {en: "the points rate", ja: "ポイント付与率"}
    statement: {en: "2 points per $1", ja: "100円につき2ポイント"}
    values: {en: ["2 points", "$1"], ja: ["2ポイント", "100円"]}
"""


@pytest.fixture
def shop(tmp_path: Path) -> ShopFacts:
    path = tmp_path / "facts.yaml"
    path.write_text(SHOP, encoding="utf-8")
    return ShopFacts.load(path)


def test_shop_is_read(shop: ShopFacts) -> None:
    assert shop.shop_name["ja"] == "青いランタン"
    assert [fact.id for fact in shop] == ["shipping_fee", "return_window", "points_rate"]
    assert shop.by_id("return_window").values["en"] == (("14 days", "two weeks"),)
    with pytest.raises(WorkshopError, match="return_window"):
        shop.by_id("return_windo")


def test_fact_needs_every_value_and_takes_every_listed_surface(shop: ShopFacts) -> None:
    assert shop.by_id("return_window").stated("You have two weeks.", "en")
    assert not shop.by_id("return_window").stated("You have 3 weeks.", "en")
    assert shop.by_id("points_rate").stated("Each $1 earns 2 points.", "en")
    assert not shop.by_id("points_rate").stated("You earn 2 points.", "en")


def test_system_prompt_is_in_the_form_the_base_model_knows(shop: ShopFacts) -> None:
    assert shop.system_prompt("en", ["return_window", "shipping_fee"]) == (
        "You are the support assistant of Blue Lantern. Answer from these facts.\n"
        "- Returns within 14 days\n- Standard shipping: $6.99"
    )
    assert shop.system_prompt("ja") == (
        "あなたは青いランタンのサポート担当です。次の情報をもとに答えてください。\n"
        "- 通常送料：￥500\n- 返品は14日以内\n- 100円につき2ポイント"
    )
    with pytest.raises(WorkshopError, match="fr"):
        shop.system_prompt("fr")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('["$6.99"]', "[6.99]", "shipping_fee: values: en"),
        ("id: return_window", "id: shipping_fee", "more than one"),
        ('name: {en: "the shipping fee", ja: "送料"}', "name: x", "shipping_fee: name"),
        ("facts:", "fact:", "facts:"),
        ('en: "Blue Lantern", ', "", "shop: name"),
        ('["$6.99"]', '["$6.99"', "YAML"),
        ("values: {en: [[", "worth: {en: [[", "return_window has no `values`"),
    ],
)
def test_faults_of_a_facts_file_are_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "facts.yaml"
    assert old in SHOP
    path.write_text(SHOP.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(WorkshopError) as caught:
        ShopFacts.load(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_facts_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match="no facts file"):
        ShopFacts.load(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 20_000, "- " * 20_000 + "a", "5", "facts: 3", "facts: []\nshop: 3",
        "facts: []\nshop: [a]", "shop: {name: 3}\nfacts: [3]", "facts: [{id: 3}]",
        "facts: [{id: a, values: {en: 3}}]", "a: 2024-99-99", 'a: !!int "x"', "a: 0b_",
        'a: !!timestamp "x"', "9" * 6000, "facts: &a [*a]", "? [a]\n: b", "<<: 3", "a: !!omap 3",
        "a: !!python/object:os.system x",
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_a_senseless_facts_file_is_refused_by_its_name(tmp_path: Path, text: str):
    path = tmp_path / "facts.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WorkshopError, match=r"facts\.yaml"):
        ShopFacts.load(path)


def test_a_facts_file_that_cannot_be_opened_is_refused(tmp_path: Path):
    for path in (tmp_path, "x" * 5000, "x\0"):
        with pytest.raises(WorkshopError, match="facts|YAML"):
            ShopFacts.load(path)

"""Names that people have, and words that stand where a name could stand but are none."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The family names most people in Japan have. Of those of one character, only the ones that are
# hardly a word.
SURNAMES = _words(
    """
    佐藤 鈴木 高橋 田中 伊藤 渡辺 渡邊 渡邉 渡部 山本 中村 小林 加藤 吉田 山田 佐々木 山口 松本 井上 木村 斎藤
    斉藤 齋藤 齊藤 清水 山崎 阿部 池田 橋本 山下 石川 中島 前田 藤田 後藤 小川 岡田 村上 長谷川 近藤 石井 坂本
    遠藤 藤井 青木 福田 三浦 西村 藤原 太田 松田 原田 岡本 中野 中川 小野 田村 竹内 金子 和田 中山 石田 上田
    森田 小島 柴田 宮崎 酒井 工藤 横山 宮本 内田 高木 安藤 谷口 大野 丸山 今井 高田 藤本 村田 武田 上野 杉山
    増田 平野 大塚 千葉 久保 松井 小山 野口 岩崎 桜井 木下 野村 松尾 菊地 菊池 佐野 大西 杉本 新井 浜田 濱田
    市川 古川 水野 小松 島田 小池 山内 西田 菅原 西川 五十嵐 北村 安田 中田 川口 平田 川崎 飯田 吉川 本田
    久保田 沢田 澤田 辻 関 吉村 中西 岩田 服部 樋口 福島 川上 永井 松岡 田口 山中 森本 土屋 矢野 秋山 石原
    松下 大橋 松浦 吉岡 小沢 小澤 馬場 菅野 岩本 星野 田辺 熊谷 望月 尾崎 永田 浅野 堀 大島 安部 野田 荒木
    大谷 小田 黒田 田島 河野 片山 本間 早川 横田 大久保 荒井 岡崎 鎌田 成田 宮田 石橋 篠原 須藤 高山 大石 高野
    西山 伊東 小西 松原 栗原 平井 河合 白石 南雲 三宅 西尾 内藤 福井 中井 川村 榎本 飯塚 関口 大川 福本 堀内
    小野寺 神田 津田 上原 矢島 大山 岡村 八木 桑原 今村 大森 松村 富田 東野 西野 野崎 柏木 杉田 川島 村松 根本
    青山 平山 豊田 塚本 奥村 神谷 坂口 坂井 奥田 若林 島崎 落合 山岸 村井 黒木 植田 大竹 三好 安達 泉 水谷
    広瀬 廣瀬 北川 日高 甲斐 稲垣 竹田 児玉 相馬 江口 宇野 岸本 長田 堀江 原口 町田 黒川 小森 浅井 永野 細川
    畠山 笠原 山根 庄司 瀬戸 竹中 須田 三上 藤川 石塚 金田 浅田 大場 相沢 入江 川田 西岡 松永 徳永 古田 小倉
    谷川 土井 柳田 萩原 堤 梅田 岩井 倉田 井口 窪田 中尾 林 森 原 岡 谷 菅 柳 榊 東海林 御手洗 勅使河原
    """
)

# Common given names in English, in lower case: they tell "my name is john" from "my name is
# misspelled".
GIVEN_NAMES = _words(
    """
    james mary robert patricia john jennifer michael linda david elizabeth william barbara richard susan
    joseph jessica thomas sarah charles karen christopher lisa daniel nancy matthew betty anthony sandra
    margaret donald ashley steven kimberly paul emily andrew donna joshua michelle kenneth carol kevin amanda
    brian dorothy george melissa timothy deborah ronald stephanie edward rebecca jason sharon jeffrey laura
    ryan cynthia jacob kathleen gary amy nicholas angela eric shirley jonathan anna stephen brenda larry
    pamela justin emma scott nicole brandon helen benjamin samantha samuel katherine gregory christine
    alexander debra patrick rachel frank carolyn raymond janet jack catherine dennis maria jerry heather tyler
    diane aaron ruth jose julie adam olivia nathan joyce henry virginia zachary victoria douglas kelly peter
    lauren kyle christina noah joan ethan evelyn jeremy judith walter megan keith andrea roger cheryl harold
    hannah alice jacqueline oliver lucy simon claire ian fiona nigel hugh kate jane ahmed mohammed ali fatima
    priya raj wei mei hiroshi taro hanako kenji yuki sakura akira haruto yui
    """
)

# Capitalised words behind "Dear" or "Mr." that are no person of the row's: addressees in general,
# brands, roles.
NO_NAMES = _words(
    """
    customer customers sir sirs madam ma'am team all friend friends colleague colleagues valued guest guests
    member members user users hiring manager support service everyone anyone reader readers student students
    client clients applicant candidate recipient resident residents parent parents subscriber shopper shoppers
    diary god lord lady santa editor professor doctor teacher neighbor neighbour partner partners supplier
    vendor sales human resources admissions committee board council shop store seller buyer colonel president
    minister prime mayor chair pepper martens coffee bean clean bubble fantastic potato incredible robot
    kipling roboto right wrong nice world developer developers prudence your you name first last surname
    recipient's miss mister abby mame mart assistant bot
    """
)

# Kanji that end a word with 様 (仕様, 皆様 …) or 氏 (彼氏, 摂氏 …) which names nobody, and no given name ends
# in.
NO_NAME_ENDINGS = frozenset(
    "仕同模異客皆奥神姫殿何各貴両摂華彼諸某方員者主人社店家親父母兄姉妹供達先位当名"
)

# What follows a family name in the name of a firm or a place.
FIRM_ENDINGS = _words(
    """
    商店 商会 商事 建設 工業 工務店 製作所 製作 製菓 製薬 電機 電気 酒造 薬局 医院 病院 書店 食堂 酒店 運輸
    運送 不動産 産業 物産 組 屋 園 堂 亭 市 県 町 区 村 駅 家 邸 技研 自動車 銀行 証券 水産 農園 牧場 歯科
    内科 眼科 塾 店 本店 支店 城 山 川 島 線 通り 寺
    """
)

# Katakana in front of 様 and 氏 that names a role, not a person.
KATAKANA_ROLES = tuple(
    sorted(
        _words(
            """
            ユーザー ユーザ オーナー メーカー スタッフ ドライバー パートナー サポーター ゲスト クライアント ベンダー
            バイヤー メンバー ファン ドクター テナント リーダー マネージャー マネジャー デザイナー エンジニア
            プレイヤー プレーヤー カスタマー ショップ ストア マート ホテル セラー サプライヤー ディーラー モニター
            サブスクライバー フォロワー リスナー ビジター オペレーター アシスタント サービス センター
            グループ クラブ コーポレーション スポンサー アドバイザー インストラクター トレーナー コーチ
            """
        )
    )
)

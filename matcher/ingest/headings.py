"""Headings and values as an official writes them, in Vietnamese or English -> our fields, units and codes.

Everything is compared folded: without diacritics, in lower case.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from matcher.text import fold, nfc

VALUE = "#value"
"""Stands for `value_usd` or `value_vnd`, as the unit of the heading says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What one of a column is: so many (`scale`) dollars, dong or hectares (`of`: usd, vnd, ha; None: not said)."""

    scale: Decimal
    of: str | None


ONE = Unit(scale=Decimal(1), of=None)

_PROVENANCE = {"source": "nguồn; nguồn tin; nguồn số liệu", "source_on": "ngày nguồn; ngày công bố nguồn; source date"}
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "projects": {
        "project_id": "mã; mã dự án; mã số; mã số dự án; project code; project id; id; code",
        "name": "tên; tên dự án; tên công trình; dự án; danh mục dự án; tên dự án đầu tư; project; project name; title",
        "name_vi": "tên tiếng Việt; tên dự án (tiếng Việt); Vietnamese name; name in Vietnamese",
        "name_en": "tên tiếng Anh; tên dự án (tiếng Anh); English name; name in English",
        "description": "mô tả; mô tả dự án; nội dung; nội dung đầu tư; mục tiêu; quy mô; quy mô đầu tư; scope",
        "sector": "lĩnh vực; ngành; ngành nghề; lĩnh vực đầu tư; ngành, lĩnh vực; industry; field",
        "isic": "mã ngành; mã ISIC; ISIC code",
        "country": "quốc gia; nước; nước sở tại; country code",
        "region": "vùng; vùng kinh tế",
        "city": "tỉnh; thành phố; tỉnh/thành phố; tỉnh, thành phố; province",
        "place": "địa điểm; vị trí; địa điểm thực hiện; địa bàn; địa điểm đầu tư; location; site",
        "area_ha": "diện tích; diện tích đất; quy mô diện tích; diện tích sử dụng đất; area; land area",
        VALUE: "vốn; vốn đầu tư; tổng vốn; tổng vốn đầu tư; tổng mức đầu tư; mức đầu tư; kinh phí; tổng mức đầu tư dự "
        "kiến; vốn đầu tư dự kiến; giá trị; value; investment; total investment; investment capital; capital; cost",
        "form": "hình thức; hình thức đầu tư; phương thức đầu tư; investment form; form of investment",
        "form_note": "ghi chú hình thức",
        "status": "trạng thái; tình trạng; tình trạng dự án; tiến độ; giai đoạn; project status; stage",
        "agency": "cơ quan; cơ quan chủ trì; cơ quan quản lý; đơn vị chủ trì; cơ quan có thẩm quyền; lead agency",
        "proponent": "đơn vị đề xuất; nhà đầu tư đề xuất; đơn vị lập",
        "green": "xanh; dự án xanh; green project",
        "announced_on": "ngày công bố; ngày kêu gọi; thời điểm công bố; announced; announcement date",
        "notes": "ghi chú; note; remarks",
    },
    "partners": {
        "partner_id": "mã; mã đối tác; mã nhà đầu tư; mã doanh nghiệp; partner code; partner id; investor id; id; code",
        "name": "tên; tên đối tác; tên nhà đầu tư; tên doanh nghiệp; tên công ty; đối tác; nhà đầu tư; doanh nghiệp; "
        "partner; partner name; investor; investor name; company; company name",
        "name_local": "tên bản ngữ; tên gốc; tên tiếng bản địa; local name; original name",
        "country": "quốc gia; nước; quốc tịch; quốc gia/vùng lãnh thổ; nước đầu tư; nationality; country code",
        "origin_country": "nước xuất xứ; quốc gia gốc; country of origin",
        "parent_id": "mã công ty mẹ; công ty mẹ; parent; parent company",
        "city": "thành phố; trụ sở; trụ sở chính; headquarters; head office",
        "kind": "loại; loại hình; loại đối tác; loại hình doanh nghiệp; type; partner type",
        "sector": "lĩnh vực; ngành; ngành nghề; lĩnh vực hoạt động; ngành nghề kinh doanh; industry; business",
        "isic": "mã ngành; mã ISIC; ISIC code",
        "activities": "hoạt động; sản phẩm; sản phẩm, dịch vụ; tags",
        "description": "mô tả; giới thiệu; thông tin; profile",
        "size": "quy mô; quy mô doanh nghiệp",
        "ticket_usd_min": "vốn tối thiểu; mức đầu tư tối thiểu; minimum ticket; minimum investment",
        "ticket_usd_max": "vốn tối đa; mức đầu tư tối đa; maximum ticket; maximum investment",
        "green": "xanh; đầu tư xanh; green investor",
        "website": "trang web; địa chỉ web; web; site; url",
    },
    "deals": {
        "deal_id": "mã; mã thương vụ; mã giao dịch; deal code; deal id; id; code",
        "project_id": "mã dự án; dự án; project code; project id; project",
        "partner_id": "mã đối tác; mã nhà đầu tư; đối tác; nhà đầu tư; partner code; partner id; partner; investor",
        "role": "vai trò; vai trò tham gia; tư cách",
        "status": "trạng thái; tình trạng; deal status",
        "status_note": "ghi chú; note",
        "closed_on": "ngày ký; ngày ký kết; ngày hoàn tất; ngày cấp phép; ngày; closed; closing date; signed on; date",
        "value_usd": "giá trị; vốn; vốn góp; số vốn; giá trị thương vụ; value; amount; deal value",
    },
    "activities": {
        "activity_id": "mã; mã hoạt động; activity code; activity id; id; code",
        "kind": "loại; loại hình; loại hoạt động; type",
        "name_vi": "tên; tên hoạt động; tên tiếng Việt; tên sự kiện; sự kiện; hoạt động; Vietnamese name",
        "name_en": "tên tiếng Anh; name; English name; activity; event; title",
        "country": "quốc gia; nước; country code",
        "with_whom": "đối tác; với; cơ quan phối hợp; đơn vị phối hợp; partner; counterpart",
        "held_on": "ngày; ngày tổ chức; thời gian; ngày diễn ra; date",
        "fact": "nội dung; kết quả; ghi chú; result; notes",
    },
}  # fmt: skip

_VALUES: Mapping[str, Mapping[str, str]] = {
    "projects.status": {
        "calling": "calling for investors; kêu gọi đầu tư; đang kêu gọi; đang kêu gọi đầu tư; mời gọi đầu tư",
        "preparing": "in preparation; chuẩn bị; chuẩn bị đầu tư; đang chuẩn bị; đang lập hồ sơ",
        "proposed": "đề xuất; được đề xuất; đề xuất đầu tư",
        "approved": "approved in principle; đã phê duyệt; phê duyệt; đã duyệt; đã duyệt chủ trương; "
        "đã phê duyệt chủ trương đầu tư",
        "investor_selected": "đã chọn nhà đầu tư; đã lựa chọn nhà đầu tư; đã có nhà đầu tư",
        "under_construction": "đang thi công; đang xây dựng; đang triển khai; under construction",
        "operating": "đang hoạt động; đang vận hành; đã đưa vào vận hành; đi vào hoạt động",
        "cancelled": "hủy; đã hủy; huỷ; chấm dứt; canceled",
        "superseded": "đã thay thế; được thay thế",
        "past": "đã thực hiện; past investment",
    },
    "projects.form": {
        "ppp": "đối tác công tư; đối tác công tư (PPP); public-private partnership; hợp tác công tư; BOT; BT; BTO",
        "public": "public investment; đầu tư công; ngân sách; vốn ngân sách",
        "oda": "vốn ODA; official development assistance",
        "loan": "vốn vay; vay",
        "fdi_100": "wholly foreign-owned; 100% vốn nước ngoài; 100% vốn đầu tư nước ngoài; FDI; 100% FDI",
        "jv": "liên doanh; joint venture",
        "private": "private investment; đầu tư tư nhân; vốn tư nhân; tư nhân",
        "strategic_investor": "nhà đầu tư chiến lược; strategic investor",
        "auction": "đấu giá; đấu giá quyền sử dụng đất",
        "other": "khác; hình thức khác; other form",
    },
    "projects.announced_precision": {
        "day": "đến ngày; ngày",
        "month": "đến tháng; tháng",
        "year": "đến năm; năm",
        "none": "không có",
    },
    "projects.name_vi_status": {"official": "chính thức", "translated": "bản dịch"},
    "projects.boundary": {"old": "trước sáp nhập", "post_merger": "sau sáp nhập"},
    "deals.value_scope": {"own": "phần của đối tác", "whole": "toàn bộ thương vụ"},
    "partners.kind": {
        "company": "công ty; doanh nghiệp; tập đoàn; corporation; enterprise",
        "bank": "ngân hàng",
        "fund": "quỹ; quỹ đầu tư; investment fund",
        "sovereign_fund": "quỹ đầu tư quốc gia; quỹ tài sản quốc gia; sovereign wealth fund",
        "government": "government body; chính phủ; cơ quan chính phủ; cơ quan nhà nước",
        "locality": "địa phương; địa phương nước ngoài; chính quyền địa phương",
        "dfi": "định chế tài chính phát triển; development finance institution",
        "intl_org": "tổ chức quốc tế; international organisation; international organization",
        "university": "trường đại học; đại học; viện nghiên cứu",
        "chamber": "hiệp hội doanh nghiệp; business chamber; phòng thương mại; hiệp hội; chamber of commerce; "
        "association",
        "person": "cá nhân; individual",
        "unknown": "chưa rõ; không rõ; chưa rõ loại hình; kind unknown",
    },
    "deals.role": {
        "owner": "chủ đầu tư; chủ sở hữu",
        "jv_partner": "joint-venture partner; đối tác liên doanh; bên liên doanh; liên doanh; joint venture partner",
        "lender": "bên cho vay; nhà tài trợ vốn vay",
        "contractor": "nhà thầu; tổng thầu",
        "operator": "bên vận hành; đơn vị vận hành; nhà vận hành",
        "proponent": "đơn vị đề xuất; bên đề xuất",
        "licensor": "bên cấp phép",
        "parent": "công ty mẹ; parent company",
        "bond": "trái phiếu",
        "finance": "tài trợ vốn",
        "partner": "đối tác",
        "seller": "bên bán",
        "investor": "nhà đầu tư",
        "equity": "góp vốn; vốn cổ phần",
        "loan": "khoản vay",
        "grant": "viện trợ; viện trợ không hoàn lại",
        "insurance": "bảo hiểm",
    },
    "deals.status": {
        "done": "đã thực hiện; hoàn tất; đã hoàn tất; đã ký; đã ký kết; đã cấp phép; completed; closed",
        "proposed": "đề xuất",
        "mou": "biên bản ghi nhớ; bản ghi nhớ; memorandum of understanding",
        "planned": "kế hoạch; dự kiến",
        "announced": "đã công bố; công bố",
        "talks": "in talks; đàm phán; đang đàm phán; negotiating",
        "cancelled": "hủy; đã hủy; huỷ; canceled",
        "divested": "thoái vốn; đã thoái vốn",
        "unknown": "chưa rõ; không rõ",
    },
}

TRUE = frozenset({"true", "co", "yes", "dung", "x", "1"})
FALSE = frozenset({"false", "khong", "no", "sai", "0"})

_SCALES = {
    "ty": 9, "ti": 9, "billion": 9, "bn": 9, "trieu": 6, "tr": 6, "million": 6, "mn": 6, "mil": 6, "nghin": 3,
    "ngan": 3, "thousand": 3,
}  # fmt: skip
_OF = {"dong": "vnd", "vnd": "vnd", "d": "vnd", "usd": "usd", "us$": "usd", "$": "usd", "dollar": "usd",
       "dollars": "usd", "ha": "ha", "hecta": "ha", "hectare": "ha", "hectares": "ha"}  # fmt: skip
_AREAS = {"m2": Decimal("0.0001"), "km2": Decimal(100)}
_BRACKETED = re.compile(r"^(.*?)\s*[(\[]([^()\[\]]*)[)\]]\s*$")
_AFTER = re.compile(r"^(.*\S)\s*(?:,|-|–|:|/)\s*(?:don vi:?|dvt:?|unit:?|in)?\s*([^,:]+)$")


def _folded(words: str) -> list[str]:
    return [_plain(word) for word in words.split(";")]


def _plain(heading: str) -> str:
    return " ".join(fold(nfc(heading)).replace("_", " ").strip(" *:.").split())


_BY_LABEL: dict[str, dict[str, str]] = {
    kind: {label: field for field, words in {**_PROVENANCE, **fields}.items() for label in _folded(words)}
    for kind, fields in _FIELDS.items()
}
_CODES: dict[str, dict[str, str]] = {
    column: {label: code for code, words in values.items() for label in [_plain(code), *_folded(words)]}
    for column, values in _VALUES.items()
}


def split_unit(heading: str) -> tuple[str, Unit]:
    """The heading without its unit, and the unit: 'Vốn (tỷ đồng)' is 'Vốn' in 10^9 dong."""
    plain = _plain(heading)
    for form in (_BRACKETED, _AFTER):
        found = form.match(plain)
        unit = _unit(found[2]) if found else None
        if found and unit:
            return found[1].strip(" *:."), unit
    return plain, ONE


def _unit(text: str) -> Unit | None:
    """The unit that a text names; None when it names anything else."""
    text = text.replace("do la my", "usd").replace("do la", "usd").replace("dvt", "").replace("don vi", "")
    scale, of = Decimal(1), None
    words = re.findall(r"us\$|\$|[^\W_]+", text)
    for word in words:
        if word in _AREAS:
            scale, of = scale * _AREAS[word], "ha"
        elif word in _SCALES:
            scale = scale.scaleb(_SCALES[word])
        elif word in _OF and of is None:
            of = _OF[word]
        else:
            return None
    return Unit(scale=scale, of=of) if words and of else None


def field_of(heading: str, kind: str) -> str | None:
    """The field that a heading names in an official's words; None when none of ours."""
    labels = _BY_LABEL.get(kind, {})
    bare, unit = split_unit(heading)
    found = labels.get(_plain(heading)) or labels.get(bare)
    if found == VALUE:
        return f"value_{unit.of}" if unit.of in ("usd", "vnd") else VALUE
    return found


def code_of(text: str, kind: str, column: str) -> str | None:
    """The code that a value stands for, such as 'company' for 'Công ty'; None when it is not known."""
    return _CODES.get(f"{kind}.{column}", {}).get(_plain(text))

"""Words for readers, in Vietnamese and English: names of codes, and whole sentences for reasons."""

from collections.abc import Mapping

from matcher.records import Direction

Both = Mapping[str, str]

UNKNOWN: Both = {"vi": "chưa rõ", "en": "unknown"}

KIND_NAMES: dict[str, tuple[str, str]] = {
    "company": ("doanh nghiệp", "company"),
    "bank": ("ngân hàng", "bank"),
    "fund": ("quỹ đầu tư", "fund"),
    "sovereign_fund": ("quỹ đầu tư quốc gia", "sovereign fund"),
    "government": ("cơ quan chính phủ", "government body"),
    "locality": ("địa phương nước ngoài", "locality"),
    "dfi": ("định chế tài chính phát triển", "development finance institution"),
    "intl_org": ("tổ chức quốc tế", "international organisation"),
    "university": ("trường đại học", "university"),
    "chamber": ("hiệp hội doanh nghiệp", "business chamber"),
    "person": ("cá nhân", "person"),
    "unknown": ("chưa rõ loại hình", "kind unknown"),
}
"""Partner kind -> its name in Vietnamese and English."""

FORM_NAMES: dict[str, Both] = {
    "ppp": {"vi": "đối tác công tư (PPP)", "en": "public-private partnership"},
    "public": {"vi": "đầu tư công", "en": "public investment"},
    "oda": {"vi": "vốn ODA", "en": "official development assistance"},
    "loan": {"vi": "vốn vay", "en": "loan"},
    "fdi_100": {"vi": "100% vốn nước ngoài", "en": "wholly foreign-owned"},
    "jv": {"vi": "liên doanh", "en": "joint venture"},
    "private": {"vi": "đầu tư tư nhân", "en": "private investment"},
    "strategic_investor": {"vi": "nhà đầu tư chiến lược", "en": "strategic investor"},
    "auction": {"vi": "đấu giá", "en": "auction"},
    "other": {"vi": "hình thức khác", "en": "other form"},
}

STATUS_NAMES: dict[str, Both] = {
    "calling": {"vi": "đang kêu gọi", "en": "calling for investors"},
    "preparing": {"vi": "đang chuẩn bị", "en": "in preparation"},
    "proposed": {"vi": "đề xuất", "en": "proposed"},
    "approved": {"vi": "đã duyệt chủ trương", "en": "approved in principle"},
    "investor_selected": {"vi": "đã chọn nhà đầu tư", "en": "investor selected"},
    "under_construction": {"vi": "đang xây dựng", "en": "under construction"},
    "operating": {"vi": "đang vận hành", "en": "operating"},
    "cancelled": {"vi": "đã hủy", "en": "cancelled"},
    "superseded": {"vi": "đã thay thế", "en": "superseded"},
    "past": {"vi": "đã thực hiện", "en": "past investment"},
}

ROLE_NAMES: dict[str, Both] = {
    "owner": {"vi": "chủ sở hữu", "en": "owner"},
    "jv_partner": {"vi": "bên liên doanh", "en": "joint-venture partner"},
    "lender": {"vi": "bên cho vay", "en": "lender"},
    "contractor": {"vi": "nhà thầu", "en": "contractor"},
    "operator": {"vi": "bên vận hành", "en": "operator"},
    "proponent": {"vi": "bên đề xuất", "en": "proponent"},
    "partner": {"vi": "đối tác", "en": "partner"},
    "seller": {"vi": "bên bán", "en": "seller"},
    "investor": {"vi": "nhà đầu tư", "en": "investor"},
    "licensor": {"vi": "bên cấp phép", "en": "licensor"},
    "equity": {"vi": "góp vốn", "en": "equity"},
    "loan": {"vi": "khoản vay", "en": "loan"},
    "parent": {"vi": "công ty mẹ", "en": "parent company"},
    "bond": {"vi": "trái phiếu", "en": "bond"},
    "insurance": {"vi": "bảo hiểm", "en": "insurance"},
    "grant": {"vi": "viện trợ", "en": "grant"},
    "finance": {"vi": "tài trợ vốn", "en": "finance"},
}

DEAL_STATUS_NAMES: dict[str, Both] = {
    "done": {"vi": "đã thực hiện", "en": "done"},
    "proposed": {"vi": "đề xuất", "en": "proposed"},
    "mou": {"vi": "biên bản ghi nhớ", "en": "memorandum of understanding"},
    "planned": {"vi": "dự kiến", "en": "planned"},
    "announced": {"vi": "đã công bố", "en": "announced"},
    "talks": {"vi": "đang đàm phán", "en": "in talks"},
    "cancelled": {"vi": "đã hủy", "en": "cancelled"},
    "divested": {"vi": "đã thoái vốn", "en": "divested"},
    "unknown": {"vi": "chưa rõ", "en": "unknown"},
}

SIZE_NAMES: dict[str, Both] = {
    "mega cap": {"vi": "vốn hóa rất lớn (từ 200 tỷ USD)", "en": "mega cap (200 bn USD or more)"},
    "large cap": {"vi": "vốn hóa lớn (10–200 tỷ USD)", "en": "large cap (10-200 bn USD)"},
    "mid cap": {"vi": "vốn hóa vừa (2–10 tỷ USD)", "en": "mid cap (2-10 bn USD)"},
    "small cap": {"vi": "vốn hóa nhỏ (0,25–2 tỷ USD)", "en": "small cap (0.25-2 bn USD)"},
    "micro cap": {"vi": "vốn hóa rất nhỏ (50–250 tr USD)", "en": "micro cap (50-250 M USD)"},
    "nano cap": {"vi": "vốn hóa siêu nhỏ (dưới 50 tr USD)", "en": "nano cap (below 50 M USD)"},
}

STATEMENTS: dict[str, dict[Direction, Both]] = {
    "sector": {
        "for": {"vi": "Ngành nghề của đối tác khớp với dự án.", "en": "The partner works in the project's sector."},
        "against": {"vi": "Ngành nghề của đối tác khác với dự án.", "en": "The partner works in another sector."},
        "missing": {
            "vi": "Chưa rõ đối tác có tham gia ngành của dự án hay không.",
            "en": "Whether the partner takes part in the project's sector is not known.",
        },
    },
    "text": {
        "for": {"vi": "Mô tả của hai bên gần nghĩa nhau.", "en": "The two descriptions are close in meaning."},
        "against": {"vi": "Mô tả của hai bên ít liên quan.", "en": "The two descriptions have little in common."},
        "missing": {"vi": "Thiếu mô tả của một bên.", "en": "One side has no description."},
    },
    "similar_deals": {
        "for": {"vi": "Đối tác đã tham gia dự án tương tự.", "en": "The partner took part in similar projects."},
        "against": {
            "vi": "Các dự án đã ghi nhận của đối tác ít giống dự án này.",
            "en": "The partner's recorded projects are unlike this one.",
        },
        "missing": {
            "vi": "Chưa ghi nhận thương vụ nào đã hoàn tất của đối tác.",
            "en": "No completed deal of the partner is on record.",
        },
    },
    "sector_deals": {
        "for": {
            "vi": "Đối tác đã tham gia dự án trong ngành này.",
            "en": "The partner took part in projects of this sector.",
        },
        "against": {
            "vi": "Chưa ghi nhận thương vụ nào của đối tác trong ngành này.",
            "en": "None of the partner's recorded deals is in this sector.",
        },
        "missing": {
            "vi": "Chưa rõ đối tác đã tham gia dự án trong ngành này hay chưa.",
            "en": "Whether the partner took part in projects of this sector is not known.",
        },
    },
    "host_experience": {
        "for": {
            "vi": "Đối tác từng tham gia dự án hoặc hoạt động tại nước có dự án.",
            "en": "The partner has taken part in projects or operated in the project's country.",
        },
        "against": {
            "vi": "Chưa ghi nhận đối tác hoạt động tại nước có dự án.",
            "en": "No presence of the partner in the project's country is on record.",
        },
        "missing": {
            "vi": "Chưa rõ đối tác đã có mặt tại nước có dự án hay chưa.",
            "en": "Whether the partner is present in the project's country is not known.",
        },
    },
    "activity": {
        "for": {"vi": "Đối tác có thương vụ gần đây.", "en": "The partner closed deals recently."},
        "against": {"vi": "Thương vụ gần nhất đã lâu.", "en": "The partner's latest deal was long ago."},
        "missing": {"vi": "Chưa rõ ngày thương vụ gần nhất.", "en": "The date of the latest deal is not known."},
    },
    "namesakes": {
        "for": {
            "vi": "Bên khác có chung một từ hiếm trong tên (có thể cùng tập đoàn) đã tham gia dự án tương tự.",
            "en": "Others that share a rare word of the name (perhaps of one group) took part in similar projects.",
        },
        "against": {
            "vi": "Bên khác có chung một từ hiếm trong tên ít tham gia dự án tương tự.",
            "en": "Others that share a rare word of the name took little part in similar projects.",
        },
        "missing": {
            "vi": "Không có bên nào trùng từ hiếm trong tên mà đã có thương vụ.",
            "en": "Nobody with a deal on record shares a rare word of the name.",
        },
    },
    "coinvestors": {
        "for": {
            "vi": "Những bên từng cùng đầu tư với đối tác đã tham gia dự án tương tự.",
            "en": "Those who invested together with the partner took part in similar projects.",
        },
        "against": {
            "vi": "Những bên từng cùng đầu tư với đối tác ít tham gia dự án tương tự.",
            "en": "Those who invested together with the partner took little part in similar projects.",
        },
        "missing": {
            "vi": "Chưa ghi nhận bên nào từng cùng đầu tư với đối tác.",
            "en": "Nobody is on record as having invested together with the partner.",
        },
    },
    "region": {
        "for": {
            "vi": "Đối tác hoạt động ở các nước cùng khu vực với nước có dự án.",
            "en": "The partner operates in other countries of the project's region.",
        },
        "against": {
            "vi": "Chưa ghi nhận đối tác hoạt động ở các nước cùng khu vực.",
            "en": "No operation of the partner in other countries of the region is on record.",
        },
        "missing": {
            "vi": "Chưa rõ đối tác có hoạt động ở các nước cùng khu vực hay không.",
            "en": "Whether the partner operates in other countries of the region is not known.",
        },
    },
    "abroad": {
        "for": {
            "vi": "Đối tác hoạt động ở các nước ngoài khu vực.",
            "en": "The partner operates in countries outside the region.",
        },
        "against": {"vi": "Chưa ghi nhận hoạt động ở nước ngoài.", "en": "No operation abroad is on record."},
        "missing": {
            "vi": "Chưa rõ đối tác có hoạt động ở các nước ngoài khu vực hay không.",
            "en": "Whether the partner operates in countries outside the region is not known.",
        },
    },
    "distance": {
        "for": {
            "vi": "Nước của đối tác ở gần nước có dự án.",
            "en": "The partner's home country is near the project's country.",
        },
        "against": {
            "vi": "Nước của đối tác ở xa nước có dự án.",
            "en": "The partner's home country is far from the project's country.",
        },
        "missing": {"vi": "Chưa rõ nước của đối tác.", "en": "The partner's home country is not known."},
    },
    "home_ties": {
        "for": {
            "vi": "Đã ghi nhận thương vụ của doanh nghiệp cùng nước, hoặc có hiệp định thương mại.",
            "en": "Compatriots of the partner have deals on record, or a trade agreement is in force.",
        },
        "against": {
            "vi": "Ít hoặc chưa có thương vụ được ghi nhận từ nước của đối tác.",
            "en": "Few or no deals from the partner's home country are on record.",
        },
        "missing": {
            "vi": "Chưa rõ quan hệ đầu tư với nước của đối tác.",
            "en": "Investment ties with the partner's home country are not known.",
        },
    },
    "kind": {
        "for": {
            "vi": "Loại hình đối tác phù hợp với dự án loại này.",
            "en": "This kind of partner carries such projects.",
        },
        "against": {
            "vi": "Loại hình đối tác ít phù hợp với dự án loại này.",
            "en": "This kind of partner seldom carries such projects.",
        },
        "missing": {"vi": "Chưa rõ loại hình đối tác.", "en": "The kind of partner is not known."},
    },
    "form": {
        "for": {
            "vi": "Loại hình đối tác phù hợp với hình thức đầu tư.",
            "en": "The kind of partner suits the form of investment.",
        },
        "against": {
            "vi": "Loại hình đối tác ít phù hợp với hình thức đầu tư.",
            "en": "The kind of partner does not suit the form of investment.",
        },
        "missing": {
            "vi": "Chưa thể so sánh hình thức đầu tư.",
            "en": "The form of investment cannot be compared.",
        },
    },
    "ticket": {
        "for": {
            "vi": "Vốn cần phù hợp quy mô đầu tư của đối tác.",
            "en": "The capital sought is within the partner's ticket.",
        },
        "against": {
            "vi": "Vốn cần nằm ngoài quy mô đầu tư của đối tác.",
            "en": "The capital sought is outside the partner's ticket.",
        },
        "missing": {
            "vi": "Chưa rõ quy mô vốn của ít nhất một bên.",
            "en": "The amount of at least one side is not known.",
        },
    },
    "size": {
        "for": {"vi": "Đối tác đủ lớn cho dự án.", "en": "The partner is large enough for the project."},
        "against": {"vi": "Đối tác có thể quá nhỏ cho dự án.", "en": "The partner may be too small for the project."},
        "missing": {
            "vi": "Chưa rõ tầm vóc của đối tác hoặc vốn của dự án.",
            "en": "The partner's size or the project's value is not known.",
        },
    },
    "green": {
        "for": {"vi": "Cả hai bên đều có yếu tố xanh.", "en": "Both sides are marked green."},
        "against": {"vi": "Hai bên khác nhau về yếu tố xanh.", "en": "The sides differ in greenness."},
        "missing": {
            "vi": "Chưa rõ yếu tố xanh của cả hai bên.",
            "en": "Whether either side is green is not known.",
        },
    },
    "readiness": {
        "for": {"vi": "Dự án đã sẵn sàng tiếp nhận đối tác.", "en": "The project is ready to receive partners."},
        "against": {
            "vi": "Dự án chưa sẵn sàng tiếp nhận đối tác.",
            "en": "The project is not yet ready to receive partners.",
        },
        "missing": {
            "vi": "Chưa rõ mức độ sẵn sàng của dự án.",
            "en": "How ready the project is, is not known.",
        },
    },
}
"""Whole sentences per reason and direction; nothing is built by gluing words."""

GAPS: dict[str, dict[str, Both]] = {
    "ticket": {
        "partner": {
            "vi": "Chưa rõ quy mô vốn mỗi thương vụ của đối tác.",
            "en": "How much the partner invests in one deal is not known.",
        },
        "project": {"vi": "Chưa rõ số vốn dự án cần.", "en": "The capital that the project seeks is not known."},
    },
    "size": {
        "partner": {"vi": "Chưa rõ tầm vóc của đối tác.", "en": "The partner's size is not known."},
        "project": {"vi": "Chưa rõ tổng vốn của dự án.", "en": "The project's value is not known."},
    },
    "green": {
        "partner": {
            "vi": "Chưa rõ đối tác có yếu tố xanh hay không.",
            "en": "Whether the partner is green is not known.",
        },
        "project": {
            "vi": "Chưa rõ dự án có yếu tố xanh hay không.",
            "en": "Whether the project is green is not known.",
        },
    },
}
"""Instead of 'missing' where only one side is unknown: which one it is."""

REASON_NAMES: dict[str, Both] = {
    "sector": {"vi": "ngành nghề", "en": "sector"},
    "text": {"vi": "mô tả", "en": "description"},
    "similar_deals": {"vi": "dự án tương tự", "en": "similar projects"},
    "sector_deals": {"vi": "thương vụ cùng ngành", "en": "deals in the sector"},
    "host_experience": {"vi": "kinh nghiệm tại nước có dự án", "en": "experience in the project's country"},
    "activity": {"vi": "hoạt động gần đây", "en": "recent activity"},
    "namesakes": {"vi": "bên trùng từ hiếm trong tên", "en": "partners with a name in common"},
    "coinvestors": {"vi": "đối tác từng cùng đầu tư", "en": "co-investors"},
    "region": {"vi": "hoạt động trong khu vực", "en": "presence in the region"},
    "abroad": {"vi": "hoạt động ở nước ngoài", "en": "presence abroad"},
    "distance": {"vi": "khoảng cách", "en": "distance"},
    "home_ties": {"vi": "quan hệ với nước của đối tác", "en": "ties with the home country"},
    "kind": {"vi": "loại hình đối tác", "en": "kind of partner"},
    "form": {"vi": "hình thức đầu tư", "en": "form of investment"},
    "ticket": {"vi": "quy mô vốn", "en": "ticket size"},
    "size": {"vi": "tầm vóc đối tác", "en": "size of the partner"},
    "green": {"vi": "yếu tố xanh", "en": "greenness"},
    "readiness": {"vi": "mức sẵn sàng của dự án", "en": "readiness of the project"},
}
"""Short names of the groups of features."""

MISSING_INFORMATION: Both = {
    "vi": "Thông tin còn thiếu (không tính là thuận hay nghịch).",
    "en": "Missing information (counts neither for nor against).",
}

"""What the city looks for, in words for readers: names, and whole sentences per outcome."""

from collections.abc import Mapping

from matcher.city import Outcome

Both = Mapping[str, str]

INSTRUMENTS: dict[str, str] = {
    "Resolution 98/2023/QH15": "Nghị quyết 98/2023/QH15",
    "Resolution 98/2023/QH15 as amended by 260/2025/QH15": "Nghị quyết 98/2023/QH15, sửa đổi bởi 260/2025/QH15",
    "Politburo Resolution 50-NQ/TW (2019)": "Nghị quyết 50-NQ/TW năm 2019 của Bộ Chính trị",
    "UN Security Council Resolution 2375 (2017)": "Nghị quyết 2375 (2017) của Hội đồng Bảo an Liên Hợp Quốc",
}
"""Instruments of the city's criteria -> their Vietnamese names; one that is not here keeps its printed name."""

CITY_NAMES: dict[str, Both] = {
    "field": {"vi": "lĩnh vực ưu tiên", "en": "priority field"},
    "experience": {"vi": "kinh nghiệm", "en": "experience"},
    "technology": {"vi": "công nghệ", "en": "technology"},
    "environment": {"vi": "môi trường", "en": "environment"},
    "equity": {"vi": "vốn chủ sở hữu", "en": "equity"},
}
"""What the city looks for in a partner, in the order in which it is shown."""

CITY_STATEMENTS: dict[str, dict[Outcome, Both]] = {
    "field": {
        "yes": {
            "vi": "Lĩnh vực của dự án thuộc diện Thành phố ưu tiên thu hút nhà đầu tư.",
            "en": "The project's field is one for which the city seeks investors first.",
        },
        "no": {
            "vi": "Lĩnh vực của dự án không thuộc diện Thành phố ưu tiên.",
            "en": "The project's field is none for which the city seeks investors first.",
        },
        "unknown": {
            "vi": "Chưa rõ lĩnh vực của dự án có thuộc diện ưu tiên hay không.",
            "en": "Whether the city gives priority to the project's field is not known.",
        },
    },
    "experience": {
        "yes": {
            "vi": "Đối tác đã thực hiện dự án cùng ngành.",
            "en": "The partner has carried out a project of this sector.",
        },
        "no": {
            "vi": "Đối tác chưa từng thực hiện dự án cùng ngành.",
            "en": "The partner has never carried out a project of this sector.",
        },
        "unknown": {
            "vi": "Chưa ghi nhận đối tác đã thực hiện dự án cùng ngành; danh sách chưa đầy đủ.",
            "en": "No project of this sector is on record for the partner; the list is not complete.",
        },
    },
    "technology": {
        "yes": {
            "vi": "Đối tác thuộc ngành được thống kê là công nghệ cao.",
            "en": "The partner's branch is one that statistics count as high technology.",
        },
        "no": {
            "vi": "Công nghệ của đối tác được ghi nhận là lạc hậu.",
            "en": "The partner's technology is on record as outdated.",
        },
        "unknown": {
            "vi": "Chưa rõ trình độ công nghệ của đối tác.",
            "en": "The partner's level of technology is not known.",
        },
    },
    "environment": {
        "yes": {"vi": "Đối tác có hoạt động xanh.", "en": "The partner has green activities."},
        "no": {
            "vi": "Đối tác được ghi nhận là không có hoạt động xanh.",
            "en": "The partner is on record as having no green activities.",
        },
        "unknown": {
            "vi": "Chưa rõ đối tác có hoạt động xanh hay không.",
            "en": "Whether the partner has green activities is not known.",
        },
    },
    "equity": {
        "yes": {
            "vi": "Giá trị thị trường của đối tác đủ cho vốn chủ sở hữu mà dự án đòi hỏi.",
            "en": "The partner's market value covers the equity that the project asks for.",
        },
        "no": {
            "vi": "Giá trị thị trường của đối tác thấp hơn vốn chủ sở hữu mà dự án đòi hỏi; có thể tham gia liên danh.",
            "en": "The partner's market value is below the equity that the project asks for; a consortium may do.",
        },
        "unknown": {
            "vi": "Chưa rõ đối tác có đủ vốn chủ sở hữu mà dự án đòi hỏi hay không.",
            "en": "Whether the partner has the equity that the project asks for is not known.",
        },
    },
}
"""Whole sentences per criterion of the city and outcome."""

GATE_STATEMENTS: dict[str, Both] = {
    "country": {
        "vi": "Dừng: phải kiểm tra trước khi tiếp xúc, vì có nghị quyết hạn chế hợp tác với nước của đối tác.",
        "en": "Stop: check before any contact, for a resolution restricts joint ventures with the partner's country.",
    },
    "partner": {
        "vi": "Dừng: phải kiểm tra trước khi tiếp xúc, vì đối tác có tên trong danh sách bị trừng phạt, cấm hoặc loại.",
        "en": "Stop: check before any contact; the partner is on a list of sanctioned, debarred or excluded parties.",
    },
    "not_listed": {
        "vi": "Không có tên trong các danh sách đã nạp; điều này chưa phải là kết quả rà soát.",
        "en": "Not on the lists that are loaded; this is no clearance.",
    },
    "not_screened": {
        "vi": "Chưa rà soát: chưa đối chiếu với danh sách nào về bên bị trừng phạt hoặc bị cấm.",
        "en": "Not screened: compared with no list of sanctioned or debarred parties.",
    },
}
"""What the gate of the city's side says."""

"""What a figure means, in plain words: beside the figure, and all together on one page."""

from typing import NamedTuple

from api.language import _


class Help(NamedTuple):
    """A figure's name and what it means."""

    name: str
    text: str


HELP: dict[str, Help] = {
    "rank": Help(
        _("Thứ hạng"),
        _(
            "Đối tác được xếp theo mức độ phù hợp với dự án mà mô hình học được từ các thương vụ có thật. Thứ hạng chỉ "
            "so các đối tác trong cùng một danh sách; hạng 1 không có nghĩa là chắc chắn thành công."
        ),
    ),
    "probability": Help(
        _("Khả năng"),
        _(
            "Ước tính cơ hội có một thương vụ giữa hai bên trong thời hạn nêu bên cạnh. “1 trên 12” nghĩa là: trong 12 "
            "cặp được mô hình đánh giá như vậy, khoảng 1 cặp đi đến thương vụ. Đây là ước tính, không phải lời hứa."
        ),
    ),
    "interval": Help(
        _("Khoảng ước tính"),
        _(
            "Giá trị thật nhiều khả năng nằm trong khoảng này. Khoảng càng rộng thì mô hình càng ít chắc chắn. Trên "
            "hình, vạch ngang là khoảng, chấm là ước tính, vạch đứng nhỏ là mức trung bình của mọi đối tác."
        ),
    ),
    "abstained": Help(
        _("Chưa đưa ra khả năng"),
        _(
            "Khi có quá ít thương vụ đã biết để kiểm chứng, mô hình không nói con số nào thay vì nói một con số không "
            "đáng tin. Thứ hạng và căn cứ vẫn dùng được."
        ),
    ),
    "evidence": Help(
        _("Căn cứ"),
        _(
            "Mỗi dòng so một điểm của dự án với một điểm của đối tác. Vạch bên phải (▲) làm tăng thứ hạng, vạch bên "
            "trái (▼) làm giảm; vạch càng dài, ảnh hưởng càng lớn. Dấu ? là chưa rõ: không tính cho bên nào."
        ),
    ),
    "contribution": Help(
        _("Chênh lệch điểm"),
        _(
            "Phần mà một căn cứ góp vào khoảng cách điểm giữa hai đối tác. Cộng tất cả các dòng lại thì ra đúng khoảng "
            "cách đó. Điểm số không có đơn vị, chỉ thứ tự của nó có ý nghĩa."
        ),
    ),
    "city": Help(
        _("Thành phố cần gì"),
        _(
            "Đối tác có đáp ứng điều Thành phố tìm kiếm theo các quy định đã ban hành hay không. Phần này tách riêng, "
            "không làm thay đổi thứ hạng theo phía đối tác."
        ),
    ),
    "coverage": Help(
        _("Bao nhiêu hồ sơ có dữ liệu"),
        _(
            "Bộ lọc chỉ tìm thấy hồ sơ đã ghi trường đó. Hồ sơ chưa ghi không bị coi là “không”; con số này cho biết "
            "còn thiếu bao nhiêu."
        ),
    ),
    "screening": Help(
        _("Rà soát"),
        _(
            "Đối tác đã được đối chiếu với các danh sách trừng phạt và cấm tham gia dự án hay chưa. “Chưa rà soát” "
            "nghĩa là chưa ai kiểm tra, không phải là an toàn."
        ),
    ),
    "estimate": Help(
        _("Dấu ≈"),
        _("Con số được ước tính hoặc quy đổi, không phải con số nguyên văn trong nguồn."),
    ),
    "freshness": Help(
        _("Độ mới"),
        _("Thông tin cũ hơn một năm hoặc không ghi ngày cần được xác nhận lại trước khi dùng với đối tác."),
    ),
    "lead": Help(
        _("Cơ quan đầu mối"),
        _(
            "Mỗi đối tác chỉ có một cơ quan đầu mối. Cơ quan khác vẫn có thể tiếp xúc, nhưng nên trao đổi với đầu mối "
            "trước để không liên hệ trùng."
        ),
    ),
    "stage": Help(
        _("Giai đoạn"),
        _(
            "Công việc với đối tác đã đi đến đâu: tiềm năng, xác định, tiếp cận, đàm phán, cam kết, thành công. Tình "
            "trạng (đang làm, tạm dừng, không thành, đã xong) được ghi riêng với giai đoạn."
        ),
    ),
    "changes": Help(
        _("Thay đổi thứ hạng"),
        _(
            "So trang đầu của danh sách hôm nay với danh sách gần nhất mà cơ quan đã được xem trước ngày đã chọn. Lý "
            "do có thể là dữ liệu mới, mô hình mới, hoặc ngày tính khác."
        ),
    ),
}  # fmt: skip
"""Key -> help; a template shows it with the component `help(key)`, the whole list stands at /help."""

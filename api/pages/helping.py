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
            "Đối tác được xếp theo mức độ phù hợp với dự án mà mô hình rút ra từ các thương vụ có thật. Thứ hạng chỉ "
            "so các đối tác trong cùng một danh sách; hạng 1 không có nghĩa là chắc chắn thành công."
        ),
    ),
    "order": Help(
        _("Thứ tự của danh sách"),
        _(
            "“Mức phù hợp với đối tác”: dự án hợp với đối tác đến đâu, theo điều mô hình học được từ các thương vụ có "
            "thật. “Mức phù hợp với cả đối tác và Thành phố”: trong 50 hạng đầu, cặp đáp ứng nhiều tiêu chí của Thành "
            "phố hơn được đưa lên trước; đây là một quy tắc đặt ra, không phải điều mô hình học được."
        ),
    ),
    "probability": Help(
        _("Xác suất"),
        _(
            "Ước tính xác suất có một thương vụ giữa hai bên trong thời hạn nêu bên cạnh. “1 trên 12” nghĩa là: "
            "trong 12 cặp được mô hình đánh giá như vậy, khoảng 1 cặp đi đến thương vụ. Đây là ước tính, không phải "
            "lời hứa."
        ),
    ),
    "interval": Help(
        _("Khoảng ước tính của xác suất"),
        _(
            "Giá trị thật nhiều khả năng nằm trong khoảng này. Khoảng càng rộng thì mô hình càng ít chắc chắn. Trên "
            "hình, vạch ngang là khoảng, chấm là ước tính, vạch đứng nhỏ là mức trung bình của mọi đối tác."
        ),
    ),
    "abstained": Help(
        _("Chưa ước tính xác suất"),
        _(
            "Khi có quá ít thương vụ đã biết để kiểm chứng, mô hình chỉ xếp thứ tự và không nêu con số nào, thay vì "
            "nêu một con số không đáng tin. Thứ hạng và căn cứ vẫn dùng được."
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
            "Phần mà một căn cứ góp vào khoảng cách điểm giữa hai đối tác. Cộng tất cả các dòng lại thì ra đúng "
            "khoảng cách đó. Điểm số không có đơn vị, chỉ thứ tự của nó có ý nghĩa."
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
            "nghĩa là chưa được đối chiếu với danh sách nào, không phải là an toàn."
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
        _("Cơ quan đầu mối của đối tác"),
        _(
            "Mỗi đối tác chỉ có một cơ quan đầu mối. Cơ quan khác vẫn có thể tiếp xúc, nhưng nên trao đổi với cơ "
            "quan đầu mối trước để không liên hệ trùng."
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
            "do có thể là dữ liệu mới, phiên bản mô hình mới, hoặc ngày tính khác."
        ),
    ),
    "ndcg": Help(
        _("nDCG@10"),
        _(
            "Chất lượng của mười đối tác đầu danh sách: 1 khi các đối tác đúng đứng trên cùng, 0 khi không có đối "
            "tác đúng nào trong mười. Đối tác đúng là đối tác về sau đã thật sự tham gia dự án."
        ),
    ),
    "recall": Help(
        _("R@10, R@50 và RR"),
        _(
            "R@10 và R@50 là tỷ lệ đối tác đúng nằm trong mười, trong năm mươi đối tác đầu. RR là một chia cho thứ "
            "hạng của đối tác đúng đầu tiên: 1 là đứng đầu, 0,5 là đứng thứ hai."
        ),
    ),
    "measured": Help(
        _("Khoảng tin cậy của số đo"),
        _(
            "Số đo sẽ dao động trong khoảng này nếu được đo trên những dự án khác cùng loại (95%%). Càng ít dự án "
            "thì khoảng càng rộng; hai khoảng chồng nhau thì chưa nói được bên nào hơn."
        ),
    ),
    "baseline": Help(
        _("Cách đơn giản tốt nhất"),
        _(
            "Mô hình phải hơn những cách đơn giản, như xếp đối tác có nhiều thương vụ hơn lên trước. Ở đây là cách "
            "tốt nhất trong số đó trên cùng bộ dữ liệu và lát cắt."
        ),
    ),
    "held_out": Help(
        _("Phần giữ lại"),
        _(
            "Khi huấn luyện, những thương vụ muộn nhất được giữ lại, và mô hình chỉ được đo trên chúng. Vì vậy con "
            "số nói về những dự án mà mô hình chưa thấy. Mỗi phiên bản có phần giữ lại riêng."
        ),
    ),
    "lift": Help(
        _("Gấp mấy lần ngẫu nhiên"),
        _("Số đo chia cho giá trị mong đợi khi xáo trộn danh mục: 1 là không hơn may rủi."),
    ),
    "reliability": Help(
        _("Xác suất có đáng tin không"),
        _(
            "Gom các cặp có xác suất gần nhau rồi xem bao nhiêu cặp đã thành thương vụ. Nêu 10%% mà cứ 10 cặp có 1 "
            "cặp thành là đáng tin."
        ),
    ),
    "brier": Help(
        _("Điểm Brier"),
        _(
            "Bình phương sai lệch trung bình giữa xác suất được nêu và kết quả; càng nhỏ càng tốt. “Mức hơn tỷ lệ "
            "nền” trên 0 nghĩa là hơn việc luôn nêu một tỷ lệ chung."
        ),
    ),
    "gini": Help(
        _("Hệ số Gini"),
        _(
            "Các vị trí trong mười đối tác đầu tập trung đến đâu: 0 khi mọi đối tác được giới thiệu như nhau, gần 1 "
            "khi vài đối tác chiếm hết. Danh mục lớn và ít danh sách thì con số này luôn cao."
        ),
    ),
    "pool_coverage": Help(
        _("Độ phủ của danh mục"),
        _("Tỷ lệ đối tác trong danh mục từng có mặt trong mười đối tác đầu của ít nhất một danh sách."),
    ),
    "long_tail": Help(
        _("Nửa ít thương vụ"),
        _(
            "Tỷ lệ vị trí trong mười đối tác đầu thuộc về nửa danh mục có ít thương vụ đã biết hơn. Con số rất nhỏ "
            "nghĩa là chỉ những đối tác đã nhiều thương vụ được giới thiệu."
        ),
    ),
    "psi": Help(
        _("Chỉ số biến động (PSI)"),
        _(
            "So tỷ lệ của từng nhóm ngay sau khi huấn luyện và gần đây: cộng (nay − trước) × ln(nay ÷ trước) của mọi "
            "nhóm. Theo thông lệ, dưới 0,1 là ít thay đổi, từ 0,25 là nhiều và nên huấn luyện lại. Nguồn: Siddiqi, "
            "2006."
        ),
    ),
    "overlap": Help(
        _("Trùng nhau trong mười đối tác đầu"),
        _(
            "Trong mười đối tác đầu của hai danh sách có bao nhiêu phần trăm là cùng một đối tác, không xét thứ tự."
        ),
    ),
    "rbo": Help(
        _("Độ trùng theo thứ hạng (RBO)"),
        _(
            "Hai danh sách giống nhau đến đâu khi vị trí càng cao càng được tính nhiều: 1 là như nhau, 0 là không có "
            "đối tác nào chung. Với p = 0,9, mười đối tác đầu chiếm 86%% trọng số. Nguồn: Webber, Moffat và Zobel, "
            "2010."
        ),
    ),
    "alpha": Help(
        _("Mức đồng thuận (alpha)"),
        _(
            "Những người chấm cùng một cặp có cho điểm giống nhau không: 1 là hoàn toàn giống, 0 là như ngẫu nhiên. "
            "Theo thông lệ, từ 0,8 thì kết luận chắc chắn, từ 0,67 thì tạm được. Nguồn: Krippendorff, 2004."
        ),
    ),
    "grade": Help(
        _("Mức điểm của người dùng"),
        _(
            "0 không phù hợp, 1 có thể hỏi, 2 phù hợp, 3 phù hợp nhất. Chỉ tính đánh giá mới nhất của mỗi người về "
            "một cặp."
        ),
    ),
    "funnel": Help(
        _("Công việc theo giai đoạn"),
        _(
            "Mỗi vạch là số công việc đang làm hoặc tạm dừng ở một giai đoạn, so với giai đoạn đông nhất. Giá trị là "
            "tổng của những công việc đã ghi giá trị; công việc chưa ghi giá trị không được đoán thêm."
        ),
    ),
    "preview": Help(
        _("Xem trước khi ghi"),
        _(
            "Tệp được đọc và so với dữ liệu hiện có, nhưng chưa ghi gì. “Mới” là mã chưa có, “thay đổi” là mã đã có "
            "với giá trị khác, “giữ nguyên” là mã đã có với cùng giá trị. Có lỗi ở bất kỳ ô nào thì không ghi gì cả."
        ),
    ),
}  # fmt: skip
"""Key -> help; a template shows it with the component `help(key)`, the whole list stands at /help."""

FOR_ANALYSTS = frozenset({
    "ndcg", "recall", "measured", "baseline", "held_out", "lift", "reliability", "brier", "gini", "pool_coverage",
    "long_tail", "psi", "overlap", "rbo", "alpha", "grade",
})  # fmt: skip
"""Keys of what only pages of the evaluation show."""

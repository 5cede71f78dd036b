"""Names of fields, columns, tables and codes, as forms and messages show them."""

from collections.abc import Mapping

from api.language import (
    CONTACT_NAMES,
    RESULT_NAMES,
    STAGE_NAMES,
    USER_ROLE_NAMES,
    WORK_STATUS_NAMES,
    _,
)
from matcher.matching.labels import DEAL_STATUS_NAMES, FORM_NAMES, KIND_NAMES, ROLE_NAMES, STATUS_NAMES, Both

FIELD_NAMES: Mapping[str, str] = {
    # of the pipeline
    "partner_id": _("Đối tác"), "project_id": _("Dự án"), "mission_id": _("Cơ quan đại diện"),
    "held_on": _("Ngày tiếp xúc"), "next_on": _("Ngày hẹn tiếp theo"), "next_step": _("Bước tiếp theo"),
    "note": _("Ghi chú"), "reason": _("Lý do"), "exposure_id": _("Danh sách đã xem"),
    "lead": _("Cơ quan đầu mối của đối tác"),
    "stage": _("Giai đoạn"), "expected_on": _("Ngày dự kiến có quyết định"), "lost_reason": _("Lý do không thành công"),
    "lost_to_country": _("Nước được chọn thay"), "result": _("Kết quả"), "decided_on": _("Ngày quyết định"),
    "role": _("Vai trò của đối tác"), "verdict": _("Kết luận"), "value_usd": _("Giá trị (USD)"),
    "since": _("Từ ngày"), "until": _("Đến ngày"), "q": _("Từ cần tìm"), "cursor": _("Trang"), "as_of": _("Tính đến"),
    # of facts
    "name": _("Tên"), "name_vi": _("Tên tiếng Việt"), "name_en": _("Tên tiếng Anh"), "name_local": _("Tên bản ngữ"),
    "name_vi_status": _("Tên tiếng Việt do ai đặt"), "description": _("Mô tả"), "sector": _("Ngành"),
    "sector_local": _("Ngành theo nguồn"), "isic": _("Mã ngành ISIC"), "country": _("Quốc gia"),
    "origin_country": _("Nước xuất xứ vốn"), "region": _("Khu vực"), "city": _("Thành phố"), "place": _("Địa điểm"),
    "boundary": _("Địa danh theo địa giới trước hay sau 01/07/2025"),
    "area_ha": _("Diện tích (ha)"), "value_min": _("Vốn từ"), "value_max": _("Vốn đến"),
    "value_currency": _("Loại tiền"), "value_usd_min": _("Vốn từ (USD)"), "value_usd_max": _("Vốn đến (USD)"),
    "value_usd_estimated": _("Cách có giá trị USD"), "value_vnd": _("Vốn (đồng)"), "value_scope": _("Phạm vi giá trị"),
    "form": _("Hình thức đầu tư"), "form_note": _("Ghi chú về hình thức"), "status": _("Tình trạng"),
    "status_note": _("Ghi chú về tình trạng"), "agency": _("Cơ quan đầu mối"), "proponent": _("Bên đề xuất"),
    "green": _("Dự án xanh"), "announced_on": _("Ngày công bố"),
    "announced_precision": _("Độ chính xác của ngày công bố"), "notes": _("Ghi chú"), "source": _("Nguồn"),
    "source_on": _("Ngày của nguồn"), "licence": _("Điều kiện sử dụng"), "source_2": _("Nguồn thứ hai"),
    "source_2_on": _("Ngày của nguồn thứ hai"), "kind": _("Loại hình"), "parent_id": _("Công ty mẹ"),
    "activities": _("Hoạt động"), "size": _("Quy mô"), "ticket_usd": _("Quy mô vốn mỗi thương vụ (USD)"),
    "ticket_usd_min": _("Vốn tối thiểu mỗi thương vụ (USD)"), "ticket_usd_max": _("Vốn tối đa mỗi thương vụ (USD)"),
    "website": _("Trang web"), "deal_id": _("Mã thương vụ"), "closed_on": _("Ngày ký kết"),
    "closed_precision": _("Độ chính xác của ngày ký kết"), "activity_id": _("Mã hoạt động"),
    "held_precision": _("Độ chính xác của ngày"), "with_whom": _("Với ai"), "fact": _("Nội dung"),
    # of files, accounts and judgments
    "file": _("Tệp"), "sheet": _("Trang tính"), "map": _("Cách đọc các cột"), "login": _("Tên đăng nhập"),
    "password": _("Mật khẩu"), "grade": _("Mức phù hợp"), "judged_on": _("Ngày đánh giá"), "text": _("Đoạn văn"),
    "judged_by": _("Người đánh giá"), "account_id": _("Tài khoản"), "history": _("Kể cả bản cũ"),
    "channel": _("Kênh"), "state": _("Trạng thái"), "Idempotency-Key": _("Biểu mẫu"),
}  # fmt: skip
"""Field -> its label, where the form does not say better."""

OF_KIND: Mapping[str, str] = {
    "interactions.kind": _("Hình thức tiếp xúc"), "assignments.status": _("Trạng thái công việc"),
    "assignments.mission_id": _("Giao cho cơ quan"), "assignments.value_usd": _("Giá trị dự kiến"),
    "outcomes.value_usd": _("Giá trị"),
    "outcomes.source": _("Căn cứ"), "outcomes.source_on": _("Ngày của căn cứ"), "imports.kind": _("Loại dữ liệu"),
    "projects.project_id": _("Mã dự án"), "partners.partner_id": _("Mã đối tác"),
    "partners.green": _("Đầu tư xanh"), "deals.project_id": _("Mã dự án"), "deals.partner_id": _("Mã đối tác"),
    "activities.held_on": _("Ngày tổ chức"), "activities.kind": _("Loại hoạt động"),
    "deals.role": _("Vai trò"), "partners.city": _("Trụ sở chính"), "shortlists.reason": _("Lý do đưa vào danh sách"),
    "verification.reason": _("Lý do bác"),
}  # fmt: skip
"""Kind of record and field -> the label there."""

TABLE_NAMES: Mapping[str, str] = {
    "projects": _("dự án"), "project": _("dự án"), "partners": _("đối tác"), "partner": _("đối tác"),
    "missions": _("cơ quan đại diện"), "mission": _("cơ quan đại diện"), "countries": _("quốc gia"),
    "country": _("quốc gia"), "countrie": _("quốc gia"), "deals": _("thương vụ"), "activities": _("hoạt động"),
    "isic": _("mã ngành ISIC"), "footprint": _("nơi hoạt động"), "accreditation": _("nước kiêm nhiệm"),
    "interaction": _("tiếp xúc"), "shortlist": _("mục danh sách rút gọn"), "assignment": _("công việc"),
    "outcome": _("kết quả"), "sectors": _("ngành"), "sector": _("ngành"), "judgments": _("đánh giá"),
}  # fmt: skip

STATE_NAMES: Mapping[str, str] = {
    "ready": _("chờ ghi"), "refused": _("có lỗi"), "committed": _("đã ghi"), "undone": _("đã hoàn tác"),
}  # fmt: skip
VERDICT_NAMES: Mapping[str, str] = {"verified": _("đã xác nhận"), "rejected": _("đã bác")}
PRECISION_NAMES: Mapping[str, str] = {
    "day": _("đến ngày"), "month": _("đến tháng"), "year": _("đến năm"), "none": _("không có"),
}  # fmt: skip
NAME_STATUS_NAMES: Mapping[str, str] = {"official": _("chính thức"), "translated": _("bản dịch")}
BOUNDARY_NAMES: Mapping[str, str] = {"old": _("trước sáp nhập"), "post_merger": _("sau sáp nhập")}
SCOPE_NAMES: Mapping[str, str] = {"own": _("phần của đối tác"), "whole": _("toàn bộ thương vụ")}
UNIT_NAMES: Mapping[str, str] = {"usd": _("đô la Mỹ"), "vnd": _("đồng"), "ha": _("héc-ta")}

OWN_CODES: tuple[Mapping[str, str], ...] = (
    STAGE_NAMES, WORK_STATUS_NAMES, CONTACT_NAMES, RESULT_NAMES, USER_ROLE_NAMES, STATE_NAMES, VERDICT_NAMES,
    TABLE_NAMES,
)  # fmt: skip
"""Codes that are chosen in forms, so that nobody has to write them."""

FILE_CODES: Mapping[str, Mapping[str, str]] = {
    "projects.announced_precision": PRECISION_NAMES, "projects.name_vi_status": NAME_STATUS_NAMES,
    "projects.boundary": BOUNDARY_NAMES, "deals.value_scope": SCOPE_NAMES,
}  # fmt: skip
FILE_LABELS: Mapping[str, Mapping[str, Both]] = {
    "projects.form": FORM_NAMES, "projects.status": STATUS_NAMES, "deals.role": ROLE_NAMES,
    "deals.status": DEAL_STATUS_NAMES,
    "partners.kind": {code: {"vi": vi, "en": en} for code, (vi, en) in KIND_NAMES.items()},
}  # fmt: skip
"""Table and column -> codes that may stand in a cell; a name is told together with its code, unless it is read, too."""

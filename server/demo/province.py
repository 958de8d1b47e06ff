"""An invented mountain province in the manner of the north-west: names only, no code.

Nothing here is a real place or office, though every name could be. Three tiers, as the order of 2021 has them.
"""

PROVINCE = "Tỉnh Điện Sơn"
LEVELS = ("Tỉnh", "Huyện", "Xã")

LEADERSHIP = "Khối Đảng, HĐND và đoàn thể"
DEPARTMENTS = "Các sở, ban, ngành tỉnh"

HOST_OFFICE = "Văn phòng UBND tỉnh"
MAIN_ENDPOINT = "Phòng họp trực tuyến UBND tỉnh"
CHAIR_DESK = "Bàn chủ tọa"
TELECOM_DEPARTMENT = "Sở Thông tin và Truyền thông"

LEADERSHIP_OFFICES = (
    "Văn phòng Tỉnh ủy",
    "Văn phòng Đoàn ĐBQH và HĐND tỉnh",
    "Ban Tổ chức Tỉnh ủy",
    "Ban Tuyên giáo Tỉnh ủy",
    "Ban Dân vận Tỉnh ủy",
    "Ủy ban Kiểm tra Tỉnh ủy",
    "Ủy ban Mặt trận Tổ quốc tỉnh",
    "Tỉnh đoàn",
    "Hội Liên hiệp Phụ nữ tỉnh",
    "Hội Nông dân tỉnh",
    "Hội Cựu chiến binh tỉnh",
    "Liên đoàn Lao động tỉnh",
)

DEPARTMENT_OFFICES = (
    TELECOM_DEPARTMENT,
    "Sở Nội vụ",
    "Sở Tài chính",
    "Sở Kế hoạch và Đầu tư",
    "Sở Nông nghiệp và Phát triển nông thôn",
    "Sở Y tế",
    "Sở Giáo dục và Đào tạo",
    "Sở Giao thông vận tải",
    "Sở Xây dựng",
    "Sở Công Thương",
    "Sở Tư pháp",
    "Sở Tài nguyên và Môi trường",
    "Sở Khoa học và Công nghệ",
    "Sở Lao động - Thương binh và Xã hội",
    "Sở Văn hóa, Thể thao và Du lịch",
    "Sở Ngoại vụ",
    "Thanh tra tỉnh",
    "Ban Dân tộc tỉnh",
    "Công an tỉnh",
    "Bộ Chỉ huy Quân sự tỉnh",
    "Bộ Chỉ huy Bộ đội Biên phòng tỉnh",
    "Cục Thuế tỉnh",
    "Kho bạc Nhà nước tỉnh",
    "Bảo hiểm xã hội tỉnh",
    "Cục Thống kê tỉnh",
    "Tòa án nhân dân tỉnh",
    "Viện Kiểm sát nhân dân tỉnh",
    "Đài Phát thanh và Truyền hình tỉnh",
    "Chi cục Kiểm lâm tỉnh",
    "Ban Quản lý rừng phòng hộ tỉnh",
)

# District -> its communes, wards and towns.
DISTRICTS = {
    "Thành phố Điện Sơn": """Phường Him Sơn, Phường Tân Lập, Phường Mường Khoang, Phường Nam Sơn, Phường Noong Luống,
        Phường Thanh Xuân, Phường Bản Phủ, Xã Tà Lành, Xã Pá Khôm, Xã Nà Nhoi, Xã Thanh Lương, Xã Mường Phẳng,
        Xã Noong Hòm, Xã Pom Lang, Xã Sam Mẩn""",
    "Thị xã Mường Lam": """Phường Sông Lam, Phường Na Lả, Phường Cơ Khí, Phường Đồi Cao, Xã Lay Nọi, Xã Nậm Căn,
        Xã Huổi Min, Xã Ho Cang, Xã Sá Tông, Xã Pa Xoan, Xã Hừa Lay, Xã Mường Tùm, Xã Bản Mo, Xã Nậm Tăm,
        Xã Đồi Thông""",
    "Huyện Mường Then": """Thị trấn Mường Then, Xã Thanh Yến, Xã Nậm Khao, Xã Pa Thươm, Xã Mường Nhả, Xã Na Ứng,
        Xã Hua Tha, Xã Núa Ngàm, Xã Hẹ Muông, Xã Phu Luồng, Xã Na Tòng, Xã Mường Lói Hạ, Xã Pom Lót Thượng,
        Xã Noong Bua, Xã Thanh Nưa Hạ""",
    "Huyện Nậm Pha": """Thị trấn Nậm Pha, Xã Chà Cang, Xã Nà Hì, Xã Nà Khoan, Xã Nậm Tín, Xã Pa Tầng, Xã Phìn Hô,
        Xã Si Pa, Xã Vàng Đáng, Xã Nậm Chùa, Xã Na Cô, Xã Nậm Nhù, Xã Chà Tơ, Xã Nà Bung, Xã Nậm Khang""",
    "Huyện Tuần Lộc": """Thị trấn Tuần Lộc, Xã Quài Căng, Xã Quài Nua, Xã Quài Tơ, Xã Tỏa Tinh, Xã Chiềng Sanh,
        Xã Chiềng Đong, Xã Mường Thinh, Xã Mùn Chùng, Xã Pú Nhùng, Xã Rạng Động, Xã Nà Sảy, Xã Mường Khon,
        Xã Ta Mạ, Xã Phình Sang""",
    "Huyện Tủa Sơn": """Thị trấn Tủa Sơn, Xã Sính Phin, Xã Tủa Thằng, Xã Tả Phin, Xã Tả Sìn, Xã Lao Xả, Xã Sín Chai,
        Xã Trung Thù, Xã Mường Đùn, Xã Mường Bang, Xã Xá Nhà, Xã Huổi So, Xã Sáng Nhe, Xã Páo Tỉnh, Xã Háng Là""",
    "Huyện Mường Pha": """Thị trấn Mường Pha, Xã Ẳng Cang, Xã Ẳng Nua, Xã Ẳng Tơ, Xã Búng Lang, Xã Mường Đang,
        Xã Mường Lan, Xã Nặm Lích, Xã Ngối Cang, Xã Xuân Lam, Xã Pú Xi, Xã Nà Tấu Hạ, Xã Noong Hai, Xã Bản Bó,
        Xã Tắt Nguộc""",
    "Huyện Nà Lếch": """Thị trấn Nà Lếch, Xã Hừa Ngàm, Xã Huổi Lèn, Xã Huổi Mý, Xã Ma Thi, Xã Mường Mùn Hạ, Xã Na Sàng,
        Xã Nậm Nèm, Xã Pa Hàm, Xã Sa Long, Xã Sá Tảo, Xã Chăn Nưa, Xã Mường Tòong, Xã Sông Đằng, Xã Nậm He""",
    "Huyện Pú Hồng": """Thị trấn Pú Hồng, Xã Chiềng Sơ Hạ, Xã Háng Lía, Xã Keo Lốm, Xã Luân Giang, Xã Mường Luẩn,
        Xã Na Sơn, Xã Nong U Hạ, Xã Phì Nhì, Xã Phình Giảng, Xã Pu Nhì, Xã Tìa Đình,
        Xã Xa Dùng, Xã Noong Ú, Xã Suối Lư""",
    "Huyện Sín Thăng": """Thị trấn Sín Thăng, Xã Chung Chai, Xã Huổi Lếnh, Xã Leng Su, Xã Mường Nhe, Xã Mường Tông,
        Xã Nậm Kề, Xã Nậm Vi, Xã Pá Mì, Xã Quảng Lam, Xã Sen Thương, Xã Nậm Pồn, Xã Tá Miếu, Xã A Pa, Xã Tả Khoa""",
}

# Username, name: the people who run the meeting. The endpoints' accounts are made from their names.
CHAIR = ("chutoa", "Lò Văn Thành")
DEPUTY = ("phochutoa", "Quàng Thị Mai")
OPERATOR = ("kythuat", "Vì Văn Nam")
ARCHIVIST = ("luutru", "Tòng Thị Hoa")
OBSERVER = ("quansat", "Cà Văn Minh")
ADMINISTRATOR = ("quantri-mau", "Lường Thị Hạnh")

TITLE = "Hội nghị giao ban trực tuyến UBND tỉnh với các sở, ngành, huyện và xã"
EARLIER_TITLE = "Hội ý trực tuyến công tác phòng, chống thiên tai và tìm kiếm cứu nạn"
LATER_TITLE = "Tập huấn trực tuyến về chữ ký số cho cán bộ cấp huyện, cấp xã"

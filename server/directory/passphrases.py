"""Passwords that can be read out over a telephone and typed on any keyboard."""

import secrets

# 256 Vietnamese syllables without marks, none longer than five letters: 8 bits each.
_SYLLABLES = """
an anh ao ba bac bai ban bang banh bao bap bau be ben beo bi bien binh bo boi bong bot bua bui
bun buoi buom but ca cach cai cam can canh cao cat cau cay cha chai cham chan chao chay che chi chim chin
cho choi chum chung chuoi co coc coi con cong cop cu cua cui cung cuoi da dai dam dan dao dat dau day
de den deo di dia diem dien dieu dinh do doi don dong du dua duc dung duoi duong em ga gac gai gan
gang gao gau gio gioi go goc goi gom gon gu guong ha hai han hang hanh hat hau he heo hien hieu hinh
ho hoa hoc hoi hom hong hop hue hung huong ke kem ken keo khe kho khoai khoi kim kinh la lac lai lam
lan lang lanh lao lau le len lien lim linh lo loa loc long lu lua luoi luon lut ly ma mai mam man
mang manh mat mau may me men meo mi mia minh mo moc moi mon mong mot mua mui mun muoi muong na nai
nam nang nao nem nen nep nga ngan ngay nghe ngo ngoc ngoi ngua nha nhac nhan nhat nho nhum nia niem non
nong nu nua nui nuoc oc oi ong phao pho phu phuc qua quan que quy rau ren rong ruong sao sen soc son song
sung tam tan tay than thao thu thuy tien tra trau tre truc vang xanh xoai
"""
WORDS = tuple(_SYLLABLES.split())


def make_passphrase(words: int = 3) -> str:
    """Like ``sen-vang-4821-ruong``: 8 bits a word and 13 for the digits (37 bits with three words, which is
    beyond guessing behind the lock-out, and years of hashing for a thief of the database)."""
    parts = [secrets.choice(WORDS) for _ in range(words)]
    parts.insert(-1, f"{secrets.randbelow(10_000):04d}")
    return "-".join(parts)

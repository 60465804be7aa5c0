"""A name server for tests: answers every question for an A record with the address that its file
holds, and with "no such name" while the file is empty. Usage: dns.py FILE"""
import socket
import sys


def answer(question, address):
    end = question.index(b"\0", 12) + 5
    asked = question[12:end]
    is_a = asked[-4:-2] == b"\0\1"
    known = bool(address)
    flags = b"\x81\x80" if known else b"\x81\x83"
    count = b"\0\1" if known and is_a else b"\0\0"
    text = question[:2] + flags + b"\0\1" + count + b"\0\0\0\0" + asked
    if known and is_a:
        text += b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4" + socket.inet_aton(address)
    return text


server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 53))
while True:
    query, client = server.recvfrom(512)
    with open(sys.argv[1], encoding="ascii") as file:
        server.sendto(answer(query, file.read().strip()), client)

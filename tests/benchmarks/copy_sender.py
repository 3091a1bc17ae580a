"""The sender of the socket copy, which imports nothing that takes time: python copy_sender.py PORT FILES."""

import socket
import sys


def send(port: int, files: list[str]) -> None:
    """A length and the bytes of each file; then the answer is waited for, as by C-STORE."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name in files:
            with open(name, "rb") as file:
                content = file.read()
            connection.sendall(len(content).to_bytes(8, "big") + content)
            if connection.recv(1) != b"\0":
                raise RuntimeError("the copy did not answer")


if __name__ == "__main__":
    send(int(sys.argv[1]), sys.argv[2:])

"""Checks that all processes are there before JAX connects them.

If a process is missing, JAX 0.10 aborts the others, and no `except` catches that. If
processes were started with different numbers of processes, JAX connects them without an
error. This module names the process that is missing or has another number.
`tests/distribution/test_rendezvous.py` shows what JAX does.
"""

import contextlib
import json
import socket
import time

# The largest size of a message, which is a short line.
MESSAGE_BYTES = 1024


def wait_for_processes(address: str, count: int, index: int, timeout: float) -> None:
    """Waits for all processes; an error if one is missing or wrong.

    Args:
        address: String `"host:port"` of process 0.
        count: Integer, the number of processes.
        index: Integer, the index of this process.
        timeout: Seconds to wait.

    Raises:
        ConnectionError: If a process is missing or has another number of processes, or
            the port is in use.
    """
    deadline = time.monotonic() + timeout
    if index == 0:
        _gather(address, count, timeout, deadline)
    else:
        _report(address, count, index, timeout, deadline)


def _gather(address, count, timeout, deadline):
    port = int(address.rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("", port))
        except OSError as error:
            raise ConnectionError(
                f"Port {port} is already in use: set another address in "
                "KERAS_DISTRIBUTION_JOB_ADDRESSES for all processes."
            ) from error
        server.listen(count)
        came = {}
        while len(came) < count - 1:
            server.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                peer = stack.enter_context(server.accept()[0])
            except TimeoutError:
                missing = sorted(set(range(1, count)) - set(came))
                sentence = _absent(count, address, timeout, missing)
                _answer(came.values(), sentence)
                raise ConnectionError(sentence) from None
            message = _received(peer, deadline)
            if message is None:
                continue
            came[message["index"]] = peer
            if message["count"] != count:
                sentence = (
                    f"Process {message['index']} was given {message['count']} as the "
                    f"number of processes, and process 0 was given {count}."
                )
                _answer(came.values(), sentence)
                raise ConnectionError(sentence)
        _answer(came.values(), "")


def _report(address, count, index, timeout, deadline):
    host, _, port = address.rpartition(":")
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((host, int(port)), 1.0) as peer:
                peer.sendall(json.dumps({"index": index, "count": count}).encode())
                peer.settimeout(max(0.01, deadline - time.monotonic()) + 1.0)
                answer = json.loads(peer.recv(MESSAGE_BYTES))
                break
        except (OSError, ValueError):
            # Process 0 has not started yet.
            time.sleep(0.1)
    else:
        raise ConnectionError(_absent(count, address, timeout, [0]))
    if answer["problem"]:
        raise ConnectionError(answer["problem"])


def _received(peer, deadline):
    """The message of a process, or `None` if another program connects."""
    peer.settimeout(max(0.01, min(5.0, deadline - time.monotonic())))
    try:
        message = json.loads(peer.recv(MESSAGE_BYTES))
        return {"index": int(message["index"]), "count": int(message["count"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _answer(peers, problem):
    for peer in peers:
        with contextlib.suppress(OSError):
            peer.sendall(json.dumps({"problem": problem}).encode())


def _absent(count, address, timeout, missing):
    listed = ", ".join(map(str, missing))
    return (
        f"Not all of the {count} processes came together at {address} within "
        f"{timeout:g} seconds; missing: {listed}. Look for one that did not start, or "
        "was given another number of processes."
    )

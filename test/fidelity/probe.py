"""Prints how a WebSocket endpoint answers what a client may do.

    python3 probe.py URL [MANAGEMENT_URL [ROW…]]

URL is of an API whose routes echo, and whose authorizer reads the query
parameter "authorization": "ann" is let in, "deny" is not (403), "none" is no
token (401). "{}" in URL stands for it. MANAGEMENT_URL ends in "/@connections";
requests are not signed. The answer to {"action":"id"} must be {"id": the
connection's id}, for what needs one.

It needs Debian's python3-websockets (10.4).
"""

import asyncio
import json
import logging
import sys
import urllib.error
import urllib.request

import websockets
from websockets.legacy.client import connect

URL, MANAGEMENT, ONLY = sys.argv[1], (sys.argv[2:] or [None])[0], sys.argv[3:]
PATIENCE = 3
logging.getLogger("websockets").setLevel(logging.CRITICAL)  # A broken frame is told of below.


def dial(token="ann", **kw):
    kw = {"compression": None, "max_size": None, "ping_interval": None, "close_timeout": PATIENCE, **kw}
    return connect(URL.replace("{}", token), **kw)


async def outcome(ws, want=None):
    """What comes next: a message, the end, or nothing."""
    try:
        got = await asyncio.wait_for(ws.recv(), PATIENCE)
    except asyncio.TimeoutError:
        return "nothing comes"
    except websockets.ConnectionClosed:
        await asyncio.wait_for(ws.wait_closed(), PATIENCE)
        return f"closed {ws.close_code} {ws.close_reason!r}"
    if want is not None and got == want:
        return f"echoed {len(got)}"
    return f"{len(got)} {'bytes (binary)' if isinstance(got, bytes) else 'characters'}: {got[:90]!r}"


async def refused(token):
    try:
        ws = await dial(token)
    except websockets.InvalidStatusCode as e:
        return f"{e.status_code}"
    await ws.close()
    return "101"


async def no_token():
    try:
        ws = await connect(URL.split("?")[0])
    except websockets.InvalidStatusCode as e:
        return f"{e.status_code}"
    await ws.close()
    return "101"


async def protocols(offered):
    try:
        ws = await dial(subprotocols=offered)
    except websockets.InvalidHandshake as e:
        return f"{type(e).__name__}: {e}"
    got = f"101, {ws.subprotocol}"
    await ws.close()
    return got


async def text(n, frame=None):
    async with dial() as ws:
        body = json.dumps({"action": "echo", "x": ""})
        body = body[:-2] + "x" * (n - len(body)) + body[-2:]
        await ws.send([body[i : i + frame] for i in range(0, n, frame)] if frame else body)
        return await outcome(ws, body)


async def send(body):
    async with dial() as ws:
        await ws.send(body)
        return await outcome(ws, body)


async def raw(fin, opcode, payload):
    async with dial() as ws:
        # Not by its own call, which refuses what must not be sent.
        ws.transport.write(bytes([fin << 7 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
        got = await outcome(ws)
    await asyncio.sleep(1)
    try:
        await (await dial()).close()
    except Exception as e:
        got += f"; then it refuses to connect: {type(e).__name__}"
    return got


async def ping():
    async with dial() as ws:
        try:
            await asyncio.wait_for(await ws.ping(b"p"), PATIENCE)
        except asyncio.TimeoutError:
            return "no pong"
        return "pong"


async def close(code):
    ws = await dial()
    if code:
        await ws.close(code, "bye")
    else:
        await ws.write_frame(True, 8, b"")
        await outcome(ws)
    return f"answered {ws.close_code} {ws.close_reason!r}"


async def concurrent():
    """Whether messages of one connection are handled in their order."""
    async with dial() as ws:
        for i in range(50):
            await ws.send(json.dumps({"action": "echo", "i": i}))
        got = []
        for _ in range(50):
            try:
                got.append(json.loads(await asyncio.wait_for(ws.recv(), 4 * PATIENCE)).get("i"))
            except (asyncio.TimeoutError, websockets.ConnectionClosed):
                break
    return f"{len(got)} of 50, " + ("in order" if got == sorted(got, key=lambda i: i or 0) else "out of order")


async def extensions():
    async with dial(compression="deflate") as ws:
        return ", ".join(e.name for e in ws.extensions) or "none"


def call(method, cid, body=None):
    req = urllib.request.Request(f"{MANAGEMENT}/{cid}", method=method, data=body)
    try:
        with urllib.request.urlopen(req, timeout=PATIENCE) as r:
            return r.status, dict(r.headers), r.read()
    except urllib.error.HTTPError as e:
        return e.code, dict(e.headers), e.read()


async def managed(method, body=None, cid=None, gone=False, then=True):
    ws = await dial()
    await ws.send('{"action":"id"}')
    mine = json.loads(await asyncio.wait_for(ws.recv(), PATIENCE))["id"]
    if gone:
        await ws.close()
        await asyncio.sleep(0.5)
    status, headers, answer = await asyncio.to_thread(call, method, cid or mine, body)
    kind = {k.lower(): v for k, v in headers.items()}.get("x-amzn-errortype")
    got = f"{status}" + (f" {kind}" if kind else "") + (f" {answer.decode()[:80]}" if answer else "")
    if then and not gone:
        got += "; the client: " + await outcome(ws, body.decode() if body and len(body) > 100 else None)
    await ws.close()
    return got


async def main():
    K = 1024
    rows = [
        ("no token in the query", no_token()),
        ("authorizer throws Unauthorized", refused("none")),
        ("authorizer denies", refused("deny")),
        ("offers sumu, x", protocols(["sumu", "x"])),
        ("compression offered", extensions()),
        ("32 KB frame", text(32 * K)),
        ("32 KB + 1 frame", text(32 * K + 1)),
        ("128 KB in 16 KB frames", text(128 * K, 16 * K)),
        ("128 KB + 1 in 16 KB frames", text(128 * K + 1, 16 * K)),
        ("not JSON", send("hello")),
        ("empty message", send("")),
        ("binary", send(b"\x00\x01\xff")),
        ("ping", ping()),
        ("50 at once", concurrent()),
        ("client closes 1000", close(1000)),
        ("client closes 4000", close(4000)),
        ("client closes without code", close(0)),
    ]
    bad = [  # Last, as not every endpoint survives them.
        ("not UTF-8", raw(True, 1, b"\xff\xfe")),
        ("unknown opcode 3", raw(True, 3, b"")),
        ("continuation of nothing", raw(True, 0, b"x")),
        ("reserved close code 1005", raw(True, 8, (1005).to_bytes(2, "big"))),
    ]
    if MANAGEMENT:
        rows += [
            ("post", managed("POST", b"hi")),
            ("post, not UTF-8", managed("POST", b"\xff\xfe")),
            ("post 128 KB", managed("POST", b"x" * 128 * K)),
            ("post 128 KB + 1", managed("POST", b"x" * (128 * K + 1), then=False)),
            ("get", managed("GET", then=False)),
            ("delete", managed("DELETE")),
            ("post to a closed connection", managed("POST", b"hi", gone=True)),
            ("delete of a closed connection", managed("DELETE", gone=True)),
            ("get of a closed connection", managed("GET", gone=True)),
            ("post to a malformed id", managed("POST", b"hi", cid="nonsense", then=False)),
        ]
    rows += bad
    for name, row in rows:
        if ONLY and name not in ONLY:
            row.close()
            continue
        try:
            got = await asyncio.wait_for(row, 60)
        except Exception as e:
            got = f"{type(e).__name__}: {e}"
        print(f"{name:32}{got}", flush=True)


asyncio.run(main())

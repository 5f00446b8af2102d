"""Runs Python's WebSocket clients for the Go tests.

A line of standard input is a command, a JSON object with "op"; its answer is a
line of standard output: {} or {"error": ...}, and what the op returns. The
first argument names the library. It ends with its standard input.
"""

import asyncio
import json
import re
import ssl
import sys

PATIENCE = 20


def tls_of(cmd):
    if not cmd["url"].startswith("wss:"):
        return None
    return ssl.create_default_context(cafile=cmd["ca"])


def pieces(text, frame):
    return [text[i : i + frame] for i in range(0, len(text), frame)]


class Websockets:
    """https://pypi.org/project/websockets"""

    async def dial(self, cmd):
        import websockets

        try:
            self.ws = await websockets.connect(
                cmd["url"],
                subprotocols=cmd["protocols"] or None,
                compression="deflate" if cmd["compress"] else None,
                ssl=tls_of(cmd),
                max_size=None,
                ping_interval=None,
            )
        except websockets.InvalidHandshake as e:
            status = getattr(e, "status_code", None) or e.response.status_code
            return {"status": status}
        return {"status": 101, "protocol": self.ws.subprotocol or ""}

    async def send(self, cmd):
        if cmd["binary"]:
            await self.ws.send(cmd["text"].encode())
        elif cmd["frame"]:
            async def parts():
                for i, part in enumerate(pieces(cmd["text"], cmd["frame"])):
                    if i == 1 and cmd["ping"]:
                        self.pong = await self.ws.ping(b"between")
                    yield part
            await self.ws.send(parts())
            if cmd["ping"]:
                await asyncio.wait_for(self.pong, PATIENCE)
        else:
            await self.ws.send(cmd["text"])

    async def raw(self, cmd):
        await self.ws.write_frame(True, 1, bytes.fromhex(cmd["text"]))

    async def ping(self, cmd):
        await asyncio.wait_for(await self.ws.ping(cmd["text"].encode()), PATIENCE)

    async def pong(self, cmd):
        await self.ws.pong(cmd["text"].encode())

    async def receive(self, cmd):
        import websockets

        try:
            return {"text": await asyncio.wait_for(self.ws.recv(), PATIENCE)}
        except websockets.ConnectionClosed:
            await self.ws.wait_closed()
            return self.closed()

    def closed(self):
        return {"closed": self.ws.close_code, "reason": self.ws.close_reason or ""}

    async def close(self, cmd):
        await self.ws.close(cmd["code"], cmd["text"])
        return self.closed()

    async def drop(self, cmd):
        self.ws.transport.abort()
        await self.ws.wait_closed()


class Autobahn:
    """https://pypi.org/project/autobahn"""

    async def dial(self, cmd):
        from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol
        from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateResponseAccept

        client = self
        self.opened = asyncio.get_running_loop().create_future()
        self.inbox = asyncio.Queue()
        self.pongs = asyncio.Queue()

        class Protocol(WebSocketClientProtocol):
            def onConnect(self, response):
                client.answer = response

            def onOpen(self):
                client.opened.set_result(101)

            def onMessage(self, payload, isBinary):
                client.inbox.put_nowait({"text": payload.decode()})

            def onPong(self, payload):
                client.pongs.put_nowait(payload)

            def onClose(self, wasClean, code, reason):
                if not client.opened.done():
                    refused = re.search(r"failed [(\[](\d{3})", reason or "")
                    client.opened.set_result(int(refused[1]) if refused else 0)
                if code is None and wasClean:
                    code = 1005  # As the others call a close frame without a code.
                client.inbox.put_nowait({"closed": code, "reason": self.remoteCloseReason or ""})

        factory = WebSocketClientFactory(cmd["url"], protocols=cmd["protocols"])
        factory.protocol = Protocol
        factory.setProtocolOptions(
            autoPingInterval=0,
            closeHandshakeTimeout=PATIENCE,
            perMessageCompressionOffers=[PerMessageDeflateOffer()] if cmd["compress"] else [],
            perMessageCompressionAccept=PerMessageDeflateResponseAccept,
        )
        loop = asyncio.get_running_loop()
        _, self.ws = await loop.create_connection(factory, factory.host, factory.port, ssl=tls_of(cmd))
        status = await asyncio.wait_for(self.opened, PATIENCE)
        if status != 101:
            return {"status": status}
        return {"status": 101, "protocol": self.answer.protocol or ""}

    async def send(self, cmd):
        text = cmd["text"].encode()
        if not cmd["ping"]:
            self.ws.sendMessage(text, cmd["binary"], fragmentSize=cmd["frame"] or None)
            return
        self.ws.beginMessage()
        for i, part in enumerate(pieces(text, cmd["frame"])):
            if i == 1:
                self.ws.sendPing(b"between")
            self.ws.sendMessageFrame(part)
        self.ws.endMessage()
        await self.pong_of(b"between")

    async def raw(self, cmd):
        self.ws.sendMessage(bytes.fromhex(cmd["text"]), False)

    async def ping(self, cmd):
        self.ws.sendPing(cmd["text"].encode())
        await self.pong_of(cmd["text"].encode())

    async def pong_of(self, payload):
        got = await asyncio.wait_for(self.pongs.get(), PATIENCE)
        if got != payload:
            raise ValueError(f"pong holds {got!r}")

    async def pong(self, cmd):
        self.ws.sendPong(cmd["text"].encode())

    async def receive(self, cmd):
        return await asyncio.wait_for(self.inbox.get(), PATIENCE)

    async def close(self, cmd):
        self.ws.sendClose(cmd["code"], cmd["text"])
        return await self.receive(cmd)

    async def drop(self, cmd):
        self.ws.transport.abort()
        await self.inbox.get()


async def main(kind):
    client = None
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        cmd = json.loads(line)
        if cmd["op"] == "dial":
            client = kind()
        try:
            answer = await getattr(client, cmd["op"])(cmd) or {}
        except Exception as e:
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), flush=True)


asyncio.run(main({"websockets": Websockets, "autobahn": Autobahn}[sys.argv[1]]))

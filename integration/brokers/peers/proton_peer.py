"""A scripted AMQP 1.0 peer on Qpid Proton.

usage: proton_peer.py PORT

The address says what becomes of a message: reject, release, modify, failed,
unsettled (accepted, and not settled) and noreply; any other is a queue, whose
messages go through Proton's codec, section by section. A link to "refused" is
refused.
"""
import sys

from proton import Condition, Data, Delivery, Handler, Terminus, symbol
from proton.handlers import EndpointStateHandler, FlowController, OutgoingMessageHandler
from proton.reactor import Container


def recode(raw):
    """The message as Proton decodes and encodes it."""
    out = b""
    while raw:
        data = Data()
        taken = data.decode(raw)
        out += data.encode()
        raw = raw[taken:]
    return out


class Peer(Handler):
    def __init__(self, port):
        super().__init__()
        self.port = port
        self.queues = {}
        self.handlers = [
            FlowController(500),
            EndpointStateHandler(delegate=self),
            OutgoingMessageHandler(auto_settle=True, delegate=self),
        ]

    def on_reactor_init(self, event):
        event.reactor.listen("127.0.0.1:%s" % self.port)

    def queue(self, address):
        return self.queues.setdefault(address, {"messages": [], "senders": []})

    def on_link_opening(self, event):
        link = event.link
        if link.is_sender:
            link.source.address = link.remote_source.address
            self.queue(link.source.address)["senders"].append(link)
        elif link.remote_target.address == "refused":
            link.target.type = Terminus.UNSPECIFIED
        else:
            link.target.address = link.remote_target.address

    def on_link_local_open(self, event):
        link = event.link
        if link.is_receiver and link.target.type == Terminus.UNSPECIFIED:
            link.condition = Condition("amqp:not-found", "no such node")
            link.close()

    def on_link_closing(self, event):
        for queue in self.queues.values():
            queue["senders"] = [s for s in queue["senders"] if s is not event.link]

    def on_sendable(self, event):
        self.pump(event.link.source.address)

    def pump(self, address):
        queue = self.queue(address)
        for sender in queue["senders"]:
            while queue["messages"] and sender.credit:
                sender.delivery(sender.delivery_tag())
                sender.send(queue["messages"].pop(0))
                sender.advance()

    def on_delivery(self, event):
        link, delivery = event.link, event.delivery
        if link.is_sender or not delivery.readable or delivery.partial:
            return
        raw = link.recv(delivery.pending)
        link.advance()
        script = getattr(self, "do_" + link.target.address, None)
        if script:
            script(delivery)
            return
        delivery.update(Delivery.ACCEPTED)
        delivery.settle()
        self.queue(link.target.address)["messages"].append(recode(raw))
        self.pump(link.target.address)

    def do_reject(self, delivery):
        delivery.local.condition = Condition("amqp:precondition-failed", "bad document", {symbol("field"): "x"})
        delivery.update(Delivery.REJECTED)
        delivery.settle()

    def do_release(self, delivery):
        delivery.update(Delivery.RELEASED)
        delivery.settle()

    def do_modify(self, delivery):
        delivery.local.failed = True
        delivery.local.undeliverable = True
        delivery.local.annotations = {symbol("x-opt-why"): "no"}
        delivery.update(Delivery.MODIFIED)
        delivery.settle()

    def do_failed(self, delivery):
        delivery.local.failed = True
        delivery.update(Delivery.MODIFIED)
        delivery.settle()

    def do_unsettled(self, delivery):
        delivery.update(Delivery.ACCEPTED)

    def do_noreply(self, delivery):
        pass


Container(Peer(sys.argv[1])).run()

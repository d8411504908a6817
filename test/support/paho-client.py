"""One Eclipse Paho client. It does what lines of JSON on standard input say, and tells what happens in lines of JSON.

Properties are named as Paho names them, and their bytes are hexadecimal.
"""

import json
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

speaking = threading.Lock()


def tell(event, **more):
    with speaking:
        print(json.dumps({"event": event, **more}), flush=True)


def properties_of(kind, wanted):
    if not wanted:
        return None
    properties = Properties(kind)
    for name, value in wanted.items():
        if name == "CorrelationData":
            value = bytes.fromhex(value)
        if name == "UserProperty":
            value = [tuple(pair) for pair in value]
        setattr(properties, name, value)
    return properties


def plain(properties):
    return {} if properties is None else properties.json()


class Conversation:
    def __init__(self, version, clientId, clean=True, manualAck=False):
        self.is_new = version == mqtt.MQTTv5
        self.clean = clean
        self.client = client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=clientId,
            clean_session=None if self.is_new else clean,
            protocol=version,
            reconnect_on_failure=False,
            manual_ack=manualAck,
        )
        client.on_connect = lambda _c, _u, flags, code, properties: tell(
            "connack", code=code.value, sessionPresent=bool(flags.session_present), properties=plain(properties)
        )
        client.on_disconnect = lambda _c, _u, _flags, code, properties: tell("disconnected", code=code.value, properties=plain(properties))
        client.on_subscribe = lambda _c, _u, _mid, codes, _properties: tell("suback", codes=[code.value for code in codes])
        client.on_unsubscribe = lambda _c, _u, _mid, codes, _properties: tell("unsuback", codes=[code.value for code in codes])
        client.on_publish = lambda _c, _u, mid, code, _properties: tell("published", mid=mid, code=code.value)
        client.on_message = lambda _c, _u, message: tell(
            "message",
            topic=message.topic,
            payload=message.payload.decode(),
            qos=message.qos,
            retain=bool(message.retain),
            dup=bool(message.dup),
            mid=message.mid,
            properties=plain(message.properties) if self.is_new else {},
        )

    def connect(self, port, properties=None, will=None):
        if will is not None:
            self.client.will_set(
                will["topic"], will["payload"], will["qos"], will["retain"], properties_of(PacketTypes.WILLMESSAGE, will.get("properties"))
            )
        new = {"clean_start": self.clean, "properties": properties_of(PacketTypes.CONNECT, properties)} if self.is_new else {}
        self.client.connect("127.0.0.1", port, keepalive=60, **new)
        self.client.loop_start()

    def subscribe(self, filters, properties=None):
        if self.is_new:
            wanted = [(topic, SubscribeOptions(qos=qos)) for topic, qos in filters]
            self.client.subscribe(wanted, properties=properties_of(PacketTypes.SUBSCRIBE, properties))
        else:
            self.client.subscribe([tuple(one) for one in filters])

    def unsubscribe(self, filters):
        self.client.unsubscribe(filters)

    def publish(self, topic, payload, qos=0, retain=False, properties=None):
        self.client.publish(topic, payload, qos, retain, properties_of(PacketTypes.PUBLISH, properties))

    def ack(self, mid, qos):
        self.client.ack(mid, qos)

    def disconnect(self, code=0, properties=None):
        if self.is_new:
            reason = mqtt.ReasonCode(PacketTypes.DISCONNECT, identifier=code)
            self.client.disconnect(reason, properties_of(PacketTypes.DISCONNECT, properties))
        else:
            self.client.disconnect()


conversation = Conversation(**json.loads(sys.stdin.readline()))
for line in sys.stdin:
    words = json.loads(line)
    getattr(conversation, words.pop("do"))(**words)

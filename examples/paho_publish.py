"""Publish a reading over MQTT.

python examples/paho_publish.py localhost 8883 ca.pem
"""

import sys

import paho.mqtt.client as mqtt

import meterseal

host, port, ca = sys.argv[1:]
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
client.tls_set_context(meterseal.create_default_context(protocol="tlcp", cafile=ca))
client.connect(host, int(port))
client.loop_start()
client.publish("meters/1/energy", "00001234.56", qos=1).wait_for_publish(10)
print("published with", client.socket().cipher()[0])
client.disconnect()
client.loop_stop()

// MQTT.js, Debian's node-mqtt: connects to the URL, subscribes, publishes what it was told, prints what comes, and ends.
// NODE_PATH=/usr/share/nodejs node websocket_peer.js URL TOPIC COUNT BYTES [CA-FILE]
'use strict'
const fs = require('fs')
const mqtt = require('mqtt')
const [url, topic, count, bytes, ca] = process.argv.slice(2)
const options = { reconnectPeriod: 0, connectTimeout: 50000 }
if (ca) options.ca = fs.readFileSync(ca)
const client = mqtt.connect(url, options)
const payload = Buffer.alloc(Number(bytes), 'x')
let received = 0
const fail = (error) => { console.log('error ' + (error && error.message)); process.exit(1) }
setTimeout(() => fail(new Error('too slow')), 55000)
client.on('error', fail)
client.on('close', () => { if (received < Number(count)) fail(new Error('closed')) })
client.on('connect', () => client.subscribe(topic, { qos: 1 }, () => {
  for (let i = 0; i < Number(count); i++) client.publish(topic, payload, { qos: i % 3 })
}))
client.on('message', (_, message) => {
  if (!message.equals(payload)) return fail(new Error('another payload'))
  if (++received === Number(count)) client.end(false, () => { console.log('received ' + received); process.exit(0) })
})

// MQTT.js, Debian's node-mqtt: connects with a certificate or without one, says "in" or why not, and ends.
// NODE_PATH=/usr/share/nodejs node websocket_entry.js URL CA-FILE [CERTIFICATE KEY]
'use strict'
const fs = require('fs')
const mqtt = require('mqtt')
const [url, ca, certificate, key] = process.argv.slice(2)
const options = { reconnectPeriod: 0, connectTimeout: 50000, ca: fs.readFileSync(ca) }
if (certificate) Object.assign(options, { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) })
const client = mqtt.connect(url, options)
const out = (error) => { console.log('out: ' + error.message); process.exit(1) }
setTimeout(() => out(new Error('too slow')), 55000)
client.on('connect', () => { console.log('in'); client.end(false, () => process.exit(0)) })
client.on('error', out)
client.stream.on('error', out) // MQTT.js keeps a TLS failure to itself; its stream has the reason

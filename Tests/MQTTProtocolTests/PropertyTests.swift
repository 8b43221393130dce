import MQTTProtocol
import Testing

@Suite("Properties and reason codes: the standard's tables, written a second time")
struct PropertyTests {
    /// Table 2-4: a valid value, and where it is allowed.
    static let table: [(Property, String, Set<Place>)] = [
        (.payloadFormatIndicator, "01", [.publishFromClient, .publishFromServer, .will]),
        (.messageExpiryInterval, "00000000", [.publishFromClient, .publishFromServer, .will]),
        (.contentType, "0000", [.publishFromClient, .publishFromServer, .will]),
        (.responseTopic, "0001 'r'", [.publishFromClient, .publishFromServer, .will]),
        (.correlationData, "0000", [.publishFromClient, .publishFromServer, .will]),
        (.subscriptionIdentifier, "01", [.publishFromServer, .subscribe]),
        (.sessionExpiryInterval, "00000000", [.connect, .connack, .disconnectFromClient]),
        (.assignedClientIdentifier, "0001 'a'", [.connack]),
        (.serverKeepAlive, "0000", [.connack]),
        (.authenticationMethod, "0001 'm'", [.connect, .connack, .authFromClient, .authFromServer]),
        (.authenticationData, "0001 ff", [.connect, .connack, .authFromClient, .authFromServer]),
        (.requestProblemInformation, "00", [.connect]),
        (.willDelayInterval, "00000001", [.will]),
        (.requestResponseInformation, "01", [.connect]),
        (.responseInformation, "0000", [.connack]),
        (.serverReference, "0000", [.connack, .disconnectFromServer]),
        (
            .reasonString, "0001 'w'",
            [
                .connack, .puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback, .disconnectFromClient,
                .disconnectFromServer, .authFromClient, .authFromServer,
            ]
        ),
        (.receiveMaximum, "0001", [.connect, .connack]),
        (.topicAliasMaximum, "0000", [.connect, .connack]),
        (.topicAlias, "0001", [.publishFromClient, .publishFromServer]),
        (.maximumQoS, "01", [.connack]),
        (.retainAvailable, "00", [.connack]),
        (.userProperty, "0000 0000", Set(Place.allCases)),
        (.maximumPacketSize, "00000001", [.connect, .connack]),
        (.wildcardSubscriptionAvailable, "00", [.connack]),
        (.subscriptionIdentifierAvailable, "00", [.connack]),
        (.sharedSubscriptionAvailable, "00", [.connack]),
    ]

    private func read(_ block: [UInt8], in place: Place) -> PacketError? {
        block.withUnsafeBytes { raw in
            fault { () throws(PacketError) in
                var reader = PropertyReader(raw, in: place)
                while try reader.next() != nil {}
            }
        }
    }

    @Test("[5.0 §2.2.2.2] every property in every place, once and twice")
    func places() {
        #expect(Self.table.count == Property.allCases.count)
        for (property, value, allowed) in Self.table {
            let block = [property.rawValue] + bytes(value)
            for place in Place.allCases {
                guard allowed.contains(place) else {
                    let isOwn = property == .subscriptionIdentifier && place == .publishFromClient
                    let expected: PacketError =
                        isOwn ? .subscriptionIdentifierFromClient : .propertyNotAllowed(property)
                    #expect(read(block, in: place) == expected)
                    continue
                }
                #expect(read(block, in: place) == nil)
                let repeats =
                    property == .userProperty || (property == .subscriptionIdentifier && place == .publishFromServer)
                #expect(read(block + block, in: place) == (repeats ? nil : .propertyRepeated(property)))
                for count in 1..<block.count {
                    #expect(read(Array(block.prefix(count)), in: place) == .truncated(place.packet))
                }
            }
        }
    }

    @Test("unknown identifiers")
    func unknown() {
        for identifier in UInt8.min...UInt8.max where Property(rawValue: identifier) == nil {
            for place in Place.allCases {
                #expect(read([identifier, 0, 0, 0, 0], in: place) == .propertyUnknown(identifier))
            }
        }
    }

    @Test("[5.0 §2.4] reason codes by packet")
    func reasonCodes() {
        let table: [(Set<Place>, String)] = [
            ([.connack], "00 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f"),
            ([.puback, .pubrec], "00 10 80 83 87 90 91 97 99"),
            ([.pubrel, .pubcomp], "00 92"),
            ([.suback], "00 01 02 80 83 87 8f 91 97 9e a1 a2"),
            ([.unsuback], "00 11 80 83 87 8f 91"),
            // 8c and 9b: see `isAllowed`
            ([.disconnectFromClient], "00 04 80 81 82 83 8c 90 93 94 95 96 97 98 99 9b"),
            (
                [.disconnectFromServer],
                """
                00 80 81 82 83 87 89 8b 8c 8d 8e 8f 90 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a0 a1 a2
                """
            ),
            ([.authFromClient], "18 19"),
            ([.authFromServer], "00 18"),
            ([.connect, .will, .publishFromClient, .publishFromServer, .subscribe, .unsubscribe], ""),
        ]
        #expect(Set(table.flatMap { $0.0 }) == Set(Place.allCases))
        for (places, codes) in table {
            let allowed = Set(bytes(codes))
            for place in places {
                for code in UInt8.min...UInt8.max {
                    let reason = ReasonCode(rawValue: code)
                    #expect(reason.isAllowed(in: place) == allowed.contains(code), "\(reason) in \(place)")
                    if allowed.contains(code) {
                        #expect(!reason.description.hasPrefix("Reason code"), "every allowed code has a name")
                    }
                }
            }
        }
    }
}

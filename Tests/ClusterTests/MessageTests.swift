import Machine
import Testing

/// What ranks send comes out as it went in, bit for bit.
@Suite struct MessageTests {
  @Test func everyValueComesBack() {
    var message = Message()
    message.append(-7)
    message.append([3, -1])
    message.append(Double.nan)
    message.append(-0.0)
    message.append("Grüße\n")
    message.append([1, 2, 255] as [UInt8])
    message.append([0.5, -0.0, .infinity] as [Float])
    message.append(optional: Int?.none) { $0.append($1) }
    message.append(optional: 3) { $0.append($1) }
    var reader = MessageReader(message.bytes)
    #expect(reader.integer() == -7)
    #expect(reader.integers() == [3, -1])
    #expect(reader.number().bitPattern == Double.nan.bitPattern)
    #expect(reader.number().bitPattern == (-0.0).bitPattern)
    #expect(reader.text() == "Grüße\n")
    #expect(reader.data() == [1, 2, 255])
    #expect(reader.floats().map(\.bitPattern) == [0.5, -0.0, .infinity].map(\Float.bitPattern))
    #expect(reader.optional { $0.integer() } == nil)
    #expect(!reader.isAtEnd)
    #expect(reader.optional { $0.integer() } == 3)
    #expect(reader.isAtEnd)
  }
}

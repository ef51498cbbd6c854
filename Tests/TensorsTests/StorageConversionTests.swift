import Tensors
import TestSupport
import Testing

/// Stored numbers in another format, against conversions written out here number by number.
@Suite struct StorageConversionTests {
  static let formats: [DType] = [.f64, .f32, .f16, .bf16, .f8e4m3, .f8e5m2]

  /// The 16-bit or 8-bit float nearest to a double, ties to even, from the definition: the candidates
  /// are searched, not computed.
  struct Reference {
    /// Non-negative finite values, ascending, with their codes.
    let values: [(value: Double, code: UInt)]
    let saturates: Bool
    let infinityCode: UInt
    let signBit: UInt

    init(_ dtype: DType) {
      let bits = dtype.bitsPerElement
      signBit = 1 << UInt(bits - 1)
      let codes = Array(0..<signBit)
      let bytes = codes.flatMap { code in (0..<bits / 8).map { UInt8(code >> (8 * $0) & 0xFF) } }
      let decoded = Tensor(decoding: bytes.span.bytes, as: dtype, shape: [codes.count]).elements
      values = zip(decoded, codes).filter(\.0.isFinite).map { (Double($0), $1) }
      saturates = dtype.isFloat8
      infinityCode = UInt(values.count)
    }

    func code(_ value: Double) -> UInt {
      let sign = value.sign == .minus ? signBit : 0
      let magnitude = value.magnitude
      let last = values.count - 1
      let largest = values[last].value
      if magnitude > largest {
        // Half a step past the largest number the others go to infinity.
        let limit = largest + (largest - values[last - 1].value) / 2
        return sign | (saturates || magnitude < limit ? values[last].code : infinityCode)
      }
      var (low, high) = (0, last)
      while high - low > 1 {
        let middle = (low + high) / 2
        if values[middle].value <= magnitude { low = middle } else { high = middle }
      }
      let (down, up) = (magnitude - values[low].value, values[high].value - magnitude)
      let nearest = down < up || (down == up && values[low].code % 2 == 0) ? low : high
      return sign | values[nearest].code
    }
  }

  /// Numbers of every size, ties, and the limits of the formats.
  static let samples: [Double] = {
    var generator = SeededGenerator(seed: 7)
    var samples: [Double] = [
      0, -0.0, 1, 448, 449, 464, 480, 57344, 61440, 65504, 65519, 65520, 7e4,
    ]
    for exponent in -30...17 {
      let unit = Double(sign: .plus, exponent: exponent, significand: 1)
      for step in 0..<32 { samples.append(unit * (1 + Double(step) / 32)) }
      for _ in 0..<20 { samples.append(unit * Double.random(in: -2...2, using: &generator)) }
      // Just off a tie between two bfloat16 numbers, where rounding twice goes wrong.
      samples.append(unit * (1 + 0x1p-8 + 0x1p-40))
      samples.append(unit * (1 + 0x1p-11 + 0x1p-40))
    }
    return samples + [1e-60, 1e300, -1e300]
  }()

  private func stored(_ values: [Double], _ dtype: DType) -> [UInt8] {
    guard dtype == .f64 else {
      return Tensor([values.count], values.map(Float.init)).encoded(as: dtype)
    }
    return values.flatMap { value in (0..<8).map { UInt8(value.bitPattern >> (8 * $0) & 0xFF) } }
  }

  private func codes(_ tensor: EncodedTensor) -> [UInt] {
    let width = tensor.dtype.bitsPerElement / 8
    return (0..<tensor.shape.count).map { i in
      (0..<width).reduce(0) { $0 | UInt(tensor.bytes[width * i + $1]) << (8 * UInt($1)) }
    }
  }

  @Test(arguments: [DType.f64, .f32], [DType.f16, .bf16, .f8e4m3, .f8e5m2])
  func roundsOnce(from source: DType, to target: DType) {
    let reference = Reference(target)
    let bytes = stored(Self.samples, source)
    var losses = ConversionLosses()
    let converted = EncodedTensor(
      converting: bytes.span.bytes, from: source, [Self.samples.count], to: target, losses: &losses)
    for (sample, code) in zip(Self.samples, codes(converted)) {
      let value = source == .f64 ? sample : Double(Float(sample))
      let expected =
        value.isFinite || target.isFloat8
        ? reference.code(value) : reference.infinityCode | (value < 0 ? reference.signBit : 0)
      #expect(code == expected, "\(value) as \(target)")
    }
  }

  /// All codes of the one 16-bit format as the other, against the way by f32.
  @Test(arguments: [(DType.f16, DType.bf16), (.bf16, .f16)])
  func convertsEveryHalfDirectly(source: DType, target: DType) {
    let values = (0...UInt16.max).map { $0 }
    let bytes = values.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
    let wide = Tensor(decoding: bytes.span.bytes, as: source, shape: [values.count])
    let expected = codes(EncodedTensor(wide, as: target))
    var losses = ConversionLosses()
    let converted = EncodedTensor(
      converting: bytes.span.bytes, from: source, [values.count], to: target, losses: &losses)
    let after = converted.decoded().elements
    var counts = ConversionLosses()
    counts.count = values.count
    for (i, code) in codes(converted).enumerated() {
      #expect(wide.elements[i].isNaN ? after[i].isNaN : code == expected[i], "\(wide.elements[i])")
      counts.add(wide.elements[i], became: after[i], largest: .infinity)
    }
    #expect(losses == counts)
    if source == .f16 { #expect(losses.rounded > 0 && losses.overflowed == 0) }
    if source == .bf16 { #expect(losses.overflowed > 0 && losses.underflowed > 0) }
  }

  @Test(arguments: formats, formats)
  func countsLosses(from source: DType, to target: DType) {
    let samples = Self.samples + [.nan, .infinity, -.infinity]
    let bytes = stored(samples, source)
    var losses = ConversionLosses()
    let converted = EncodedTensor(
      converting: bytes.span.bytes, from: source, [samples.count], to: target, losses: &losses)
    guard source != target else {
      #expect(converted.bytes == bytes)
      return
    }
    var expected = ConversionLosses()
    expected.count = samples.count
    let before =
      source == .f64
      ? samples
      : Tensor(decoding: bytes.span.bytes, as: source, shape: [samples.count]).elements
        .map(Double.init)
    let after =
      target == .f64
      ? before : converted.decoded().elements.map(Double.init)
    let largest: Double = target == .f8e4m3 ? 448 : target == .f8e5m2 ? 57344 : .infinity
    for (old, new) in zip(before, after) { expected.add(old, became: new, largest: largest) }
    #expect(losses == expected)
  }

  /// Sizes around the part that is converted at a time.
  @Test(arguments: [0, 1, 2047, 2048, 2049, 70000])
  func convertsAnyCount(count: Int) {
    let tensor = Tensor(random: [count], seed: 3)
    let bytes = tensor.encoded(as: .f32)
    for target in [DType.f16, .bf16, .f8e4m3] {
      var losses = ConversionLosses()
      let converted = EncodedTensor(
        converting: bytes.span.bytes, from: .f32, [count], to: target, losses: &losses)
      #expect(converted == EncodedTensor(tensor, as: target))
      #expect(losses.count == count)
    }
  }
}

extension ConversionLosses {
  /// One number more, by the definition of the counts.
  fileprivate mutating func add<Number: BinaryFloatingPoint>(
    _ before: Number, became after: Number, largest: Number
  ) {
    if before.isNaN {
      notANumber += 1
    } else if before.isInfinite {
      infinite += 1
    } else if after != before,
      after.isInfinite || (after.magnitude == largest && before.magnitude > largest)
    {
      overflowed += 1
    } else if before != 0 && after == 0 {
      underflowed += 1
    } else if before != after {
      rounded += 1
    }
  }
}

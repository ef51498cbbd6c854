import Checkpoints
import Safetensors
import Tensors

extension CheckpointConversion {
  /// What is computed at once: a tensor of the output, or some of its elements.
  struct Part: Sendable {
    let output: CheckpointOutput
    /// Its name in the file that is written.
    let name: String
    let elements: Range<Int>
    let isLast: Bool

    var byteCount: Int { elements.count * output.info.dtype.bitsPerElement / 8 }
  }

  enum Result: Sendable {
    /// A whole tensor as it is.
    case copied(TensorView)
    case made(EncodedTensor, ConversionLosses)
  }

  /// Numbers of a part. What is written of it then still lies in the second-level cache; smaller ones
  /// cost more in handing over.
  private static let partCount = 1 << 19

  /// A tensor in parts, but for what has to be seen whole or is not computed at all.
  static func parts(of output: CheckpointOutput, as name: String) -> [Part] {
    let count = output.info.shape.count
    let whole = [Part(output: output, name: name, elements: 0..<count, isLast: true)]
    switch output.content {
    case .copied, .scale, .made, .sum(_, columns: .some): return whole
    case .converted, .sum:
      guard count > partCount else { return whole }
      return stride(from: 0, to: count, by: partCount).map {
        let end = min($0 + partCount, count)
        return Part(output: output, name: name, elements: $0..<end, isLast: end == count)
      }
    }
  }

  /// - Parameter scales: of 8-bit weights, by their names.
  func result(of part: Part, scales: [String: Float]) -> Result {
    let info = part.output.info
    let shape: Shape = [part.elements.count]
    var losses = ConversionLosses()
    switch part.output.content {
    case .copied(let view): return .copied(view)
    case .made(let tensor): return .made(tensor, losses)
    case .scale(let key):
      return .made(EncodedTensor(Tensor(scalar: scales[key] ?? 1), as: .f32), losses)
    case .converted, .sum:
      if !part.output.isScaled, let view = Self.plainView(of: part) {
        if view.dtype == info.dtype, part.output.info.shape.count == part.elements.count {
          return .copied(view)
        }
        let bytes = view.bytes.extracting(view.bytes(of: part.elements))
        let tensor = EncodedTensor(
          converting: bytes, from: view.dtype, shape, to: info.dtype, losses: &losses)
        return .made(tensor, losses)
      }
      var values = Self.values(of: part.output, part.elements)
      if part.output.isScaled, let scale = scales[info.name] {
        let limit = Float8.e4m3.greatestFinite
        var elements = values.elements.mutableSpan
        for i in elements.indices {
          let code = elements[i] / scale
          // The quotient of the largest may be an ulp too large.
          let isOver = abs(code) > limit && abs(code) < .infinity
          elements[i] = isOver ? (code < 0 ? -limit : limit) : code
        }
      }
      return .made(EncodedTensor(values, as: info.dtype, losses: &losses), losses)
    }
  }

  /// The tensor that has these elements already, if one does: the only one, or the first where all
  /// others are equal to it.
  private static func plainView(of part: Part) -> TensorView? {
    switch part.output.content {
    case .converted(let numbers): return numbers.plainView
    case .sum(let terms, columns: nil):
      let rest = reduced(terms, part.elements)
      return rest.count == 1 && abs(rest[0].coefficient - 1) < 1e-6
        ? rest[0].numbers.plainView : nil
    default: return nil
    }
  }

  /// The terms with equal ones taken together: A + m (B − B) is A, and so is 0.6 A + 0.4 A.
  private static func reduced(
    _ terms: [CheckpointOutput.Term], _ elements: Range<Int>
  ) -> [CheckpointOutput.Term] {
    var reduced: [CheckpointOutput.Term] = []
    for term in terms {
      if let equal = reduced.firstIndex(where: {
        $0.numbers.isStoredLike(term.numbers, in: elements)
      }) {
        reduced[equal].coefficient += term.coefficient
      } else {
        reduced.append(term)
      }
    }
    return reduced.filter { abs($0.coefficient) > 1e-6 }
  }

  /// Elements of an output in f32, before any scale.
  private static func values(of output: CheckpointOutput, _ elements: Range<Int>) -> Tensor {
    switch output.content {
    case .converted(let numbers): return numbers.values(elements)
    case .sum(let terms, columns: let columns?): return leadingSum(terms, columns)
    case .sum(let terms, columns: nil):
      var sum = Tensor(zeros: [elements.count])
      for (index, term) in reduced(terms, elements).enumerated() {
        let values = term.numbers.values(elements)
        if index == 0 {
          sum = values
          if term.coefficient != 1 { sum.scale(by: term.coefficient) }
        } else {
          sum.add(values, times: term.coefficient)
        }
      }
      return sum
    case .copied(let view): return view.tensor()
    case .scale, .made: return Tensor(zeros: [elements.count])
    }
  }

  /// The sum of the elements at the beginning of each row that all have, and the rest of the first.
  private static func leadingSum(_ terms: [CheckpointOutput.Term], _ columns: Int) -> Tensor {
    let shape = terms[0].numbers.shape
    let original = terms[0].numbers.values(0..<shape.count)
    var result = original
    for row in 0..<shape.rows {
      for column in 0..<columns { result.elements[row * shape.columns + column] = 0 }
    }
    for term in terms {
      let width = term.numbers.shape.columns
      let values = term.numbers.values(0..<term.numbers.shape.count)
      for row in 0..<shape.rows {
        for column in 0..<columns {
          result.elements[row * shape.columns + column] +=
            term.coefficient * values.elements[row * width + column]
        }
      }
    }
    return result
  }

  /// The scale of every weight that is to have one: its largest magnitude becomes the largest number
  /// of the format. They stand before the weights in the file, which are therefore read twice.
  func scales(threads: Int, progress: ProgressReporter) async throws -> [String: Float] {
    let parts = plan.outputs.filter(\.isScaled).flatMap { Self.parts(of: $0, as: $0.info.name) }
    var scales: [String: Float] = [:]
    let total = parts.reduce(0) { $0 + $1.byteCount }
    var completed = 0
    try await forEachInOrder(
      parts, width: threads + 1,
      transform: { Self.values(of: $0.output, $0.elements).largestMagnitude },
      consume: { part, largest in
        scales[part.name] = max(scales[part.name] ?? 0, largest)
        completed += part.byteCount
        progress.report(
          Progress(activity: "measuring", completed: completed, total: total, isBytes: true))
      })
    let limit = Float8.e4m3.greatestFinite
    return scales.mapValues { $0 > 0 ? max($0 / limit, .leastNormalMagnitude) : 1 }
  }
}

extension CheckpointConversionReport {
  mutating func add(_ part: CheckpointConversion.Part, _ result: CheckpointConversion.Result) {
    if case .made(_, let losses) = result {
      if case .converted = part.output.content {
        numbers += losses.count
        rounded += losses.rounded
      }
      notANumber += losses.notANumber
      infinite += losses.infinite
      overflowed += losses.overflowed
      underflowed += losses.underflowed
    }
    guard part.isLast else { return }
    switch part.output.content {
    case .copied: copiedTensors += 1
    case .converted: convertedTensors += 1
    case .sum: summedTensors += 1
    case .scale, .made: break
    }
  }
}

import Adapters
import Checkpoints
import Glibc
import Machine
import OrderedCollections
package import Safetensors
package import SystemPackage
package import Tensors

/// The exponential moving average of the adapters that one training run saved, found after it.
///
/// θ ← βᵢ·θ + (1 − βᵢ)·xᵢ over the files in order, from θ = x₀, in f32, tensor by tensor: of the factors and
/// not of their products, which suits the checkpoints of one run. Source: musubi-tuner
/// `lora_post_hoc_ema.py`; for `sigma_rel` Karras et al. 2024, arXiv 2312.02696.
package struct MovingAverage: Sendable {
  /// How βᵢ is found for file i of n, i from 1 to n − 1.
  package enum Decay: Sendable, Equatable {
    case constant(Double)
    /// From the first at file 1 to the second at the last.
    case linear(Double, Double)
    /// (1 − 1/i)^(γ + 1), where σ_rel tells γ: β₁ is 0, so that the first file does not count.
    case power(relativeDeviation: Double)

    /// - Precondition: a deviation is positive and less than 1/√12, see `exponent`.
    package func beta(at index: Int, of count: Int) -> Double {
      switch self {
      case .constant(let beta): beta
      case .linear(let first, let last):
        count > 2 ? first + (last - first) * Double(index - 1) / Double(count - 2) : first
      case .power(let deviation):
        pow(1 - 1 / Double(index), Self.exponent(ofDeviation: deviation) + 1)
      }
    }

    /// The γ of an average by powers, t^γ, whose standard deviation is `deviation` of its length: the
    /// positive root of γ³ + 7γ² + (16 − 1/σ²)γ + (12 − 1/σ²). There is one for σ < 12^-½.
    package static func exponent(ofDeviation deviation: Double) -> Double {
      let k = 1 / (deviation * deviation)
      func value(_ x: Double) -> Double { ((x + 7) * x + 16 - k) * x + 12 - k }
      var (low, high) = (0.0, 1.0)
      while value(high) < 0 { high *= 2 }
      for _ in 0..<200 {
        let middle = (low + high) / 2
        if value(middle) < 0 { low = middle } else { high = middle }
      }
      return (low + high) / 2
    }
  }

  private let files: [TensorFile]
  private let decay: Decay

  /// - Parameter paths: at least one; in the order of training, or of their times if `sorted`.
  /// - Throws: `SafetensorsError` from opening; `MovingAverageError` where the files do not have the same
  ///   tensors.
  package init(_ paths: [FilePath], sorted: Bool, decay: Decay) throws {
    let order = sorted ? try Self.sorted(paths) : paths
    files = try order.map { try TensorFile(opening: $0) }
    self.decay = decay
    try check()
  }

  package var sources: [TensorFile] { files }

  /// In the order in which they are averaged, each with its β; the first has none.
  package var steps: [(path: FilePath, beta: Double?)] {
    files.enumerated().map { index, file in
      (file.path, index == 0 ? nil : decay.beta(at: index, of: files.count))
    }
  }

  /// Writes the average, in the formats of the first file, with the metadata of the last and new hashes.
  ///
  /// Memory: two tensors in f32 and the result in its own format.
  /// - Throws: `SafetensorsError` from writing, `CancellationError`.
  package func write(
    to output: FilePath, threads: Int, progress: ProgressReporter
  ) async throws {
    let views = Array(files[0].tensors.values)
    let total = views.reduce(0) { $0 + $1.byteCount }
    var completed = 0
    let averaged = try await concurrentMap(
      views, width: threads, cost: \.byteCount, transform: average,
      finished: {
        completed += $0.byteCount
        progress.report(
          Progress(activity: "averaging", completed: completed, total: total, isBytes: true))
      })
    try AdapterWriter.write(averaged, metadata: files[files.count - 1].metadata, to: output)
  }

  /// Tensors of numbers are averaged, everything else and alphas are those of the first file.
  private func average(_ first: TensorView) -> TensorView {
    guard Self.isAveraged(first) else { return first }
    var average = first.tensor()
    for (index, file) in files.enumerated().dropFirst() {
      guard let next = file.tensors[first.name]?.tensor() else { continue }
      let beta = decay.beta(at: index, of: files.count)
      average.scale(by: Float(beta))
      average.add(next, times: Float(1 - beta))
    }
    return TensorView(
      first.name, EncodedTensor(average, as: first.dtype), from: first.file)
  }

  private static func isAveraged(_ view: TensorView) -> Bool {
    view.dtype.isFloatingPoint && !isAlpha(view.name)
  }

  private static func isAlpha(_ key: String) -> Bool { key.hasSuffix("." + alphaSuffix.name) }

  private func check() throws(MovingAverageError) {
    let first = files[0]
    for file in files.dropFirst() {
      for (key, view) in first.tensors {
        guard let other = file.tensors[key] else {
          throw .missing(file.path, tensor: key, first: first.path)
        }
        guard other.shape == view.shape else {
          throw .shape(file.path, tensor: key, expected: view.shape, found: other.shape)
        }
        guard Self.isAlpha(key), view.dtype.isConvertible, other.dtype.isConvertible else {
          continue
        }
        let (expected, found) = (view.tensor(), other.tensor())
        guard expected.elements == found.elements else {
          throw .alpha(
            file.path, tensor: key, expected: expected.elements.first ?? 0,
            found: found.elements.first ?? 0)
        }
      }
      if let key = file.tensors.keys.first(where: { first.tensors[$0] == nil }) {
        throw .missing(first.path, tensor: key, first: file.path)
      }
    }
  }

  /// By the time at which they were written, oldest first; equal times by the order given.
  private static func sorted(_ paths: [FilePath]) throws(MovingAverageError) -> [FilePath] {
    var times: [(path: FilePath, seconds: Int, nanoseconds: Int)] = []
    for path in paths {
      guard let status = InputFile.status(of: path) else {
        throw .notFound(path, Errno(rawValue: errno))
      }
      times.append((path, status.st_mtim.tv_sec, status.st_mtim.tv_nsec))
    }
    let order = times.enumerated().sorted {
      ($0.element.seconds, $0.element.nanoseconds, $0.offset)
        < ($1.element.seconds, $1.element.nanoseconds, $1.offset)
    }
    return order.map(\.element.path)
  }
}

/// Why files cannot be averaged.
package enum MovingAverageError: Error {
  case missing(FilePath, tensor: String, first: FilePath)
  case shape(FilePath, tensor: String, expected: Shape, found: Shape)
  case alpha(FilePath, tensor: String, expected: Float, found: Float)
  case notFound(FilePath, Errno)
}

extension MovingAverageError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .missing(let file, let tensor, let first):
      "\(file): tensor '\(tensor)' is missing, which \(first) has; expected files of one training run"
    case .shape(let file, let tensor, let expected, let found):
      "\(file): tensor '\(tensor)': expected shape \(expected), found \(found)"
    case .alpha(let file, let tensor, let expected, let found):
      "\(file): tensor '\(tensor)': expected \(expected) as in the first file, found \(found)"
    case .notFound(let file, let error): "\(file): \(error)"
    }
  }
}

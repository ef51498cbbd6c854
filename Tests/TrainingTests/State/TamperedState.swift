import Autograd
import Foundation
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// The state of a few parameters, and what it is taken for with some files changed.
struct TamperedState {
  enum Finding: Equatable {
    /// It is the one that was written.
    case same
    /// It is another, and nobody noticed.
    case other
    case refused(String)
  }

  static let progress = "train_state.json"
  private static let tensorFiles = [
    "parameters.safetensors", "optimizer.safetensors", "average.safetensors",
  ]
  private static let arithmetic = StepArithmetic(
    batchesPerEpoch: 4, accumulation: 2, steps: 10, epochs: nil)
  private static let settings = ["--network_dim": "4", "--seed": "7"]

  /// Vanishes with the last copy of the value.
  private final class Place {
    let folder = TemporaryFolder()
  }

  private let place: Place
  private let optimizer: String
  private let written: TrainingState
  private let files: [String: Data]
  /// What is in the files of tensors.
  private let contents: [String: [String: EncodedTensor]]
  var folder: FilePath { place.folder.file("a-state") }

  init(_ optimizer: String) throws {
    place = Place()
    self.optimizer = optimizer
    let groups = Self.groups(optimizer)
    var choice = try OptimizerChoice(named: optimizer).optimizer
    var average = ParameterAverage(decay: 0.9)
    for step in 0..<2 {
      for (i, parameter) in groups[0].parameters.enumerated() {
        parameter.gradient = Tensor(random: parameter.value.shape, seed: UInt64(10 * step + i))
      }
      choice.step(groups, rates: [1e-2])
      average.update(groups)
    }
    var losses = LossAverage()
    losses.add(0.1, epoch: 0, step: 0)
    losses.add(1 / 3, epoch: 0, step: 1)
    let progress = TrainingProgress(
      epoch: 1, step: 2, batchInEpoch: 0, seed: 7, losses: losses,
      optimizer: try OptimizerChoice(named: optimizer).className, settings: Self.settings)
    written = TrainingState(progress, groups, choice, average)
    let folder = place.folder.file("a-state")
    try written.write(to: folder)
    files = try Dictionary(
      uniqueKeysWithValues: directoryEntries(folder).map {
        ($0, Data(try TestSupport.contents(of: folder.appending($0))))
      })
    contents = try Dictionary(
      uniqueKeysWithValues: Self.tensorFiles.map {
        ($0, try TensorFile(opening: folder.appending($0)).contents)
      })
  }

  /// Two of one shape, and one that is large enough for states in 8 bits where there are any.
  private static func groups(_ optimizer: String) -> [ParameterGroup] {
    let large: Shape = optimizer == "AdamW8bit" ? [64, 64] : [2, 4]
    let shapes: [(String, Shape)] = [("a.down", [3, 5]), ("a.up", [3, 5]), ("b.up", large)]
    return [
      ParameterGroup(
        name: "unet",
        parameters: shapes.enumerated().map {
          Parameter($1.0, Tensor(random: $1.1, seed: UInt64(100 + $0)))
        }, rate: 1e-2)
    ]
  }

  /// Reads the state with some files in the place of what was written, as a run does.
  func finding(with changed: [String: Data]) throws -> Finding {
    for (name, content) in files.merging(changed, uniquingKeysWith: { $1 }) {
      try content.write(to: URL(filePath: folder.appending(name).string))
    }
    let groups = Self.groups(optimizer)
    let choice = try OptimizerChoice(named: optimizer)
    var (optimizer, average) = (
      choice.optimizer, ParameterAverage?.some(ParameterAverage(decay: 0.9))
    )
    let state: TrainingState
    do throws(StateError) {
      state = try TrainingState(opening: folder)
      try state.check(
        Self.settings, optimizer: choice.className, Self.arithmetic, in: folder)
      try state.restore(groups, &optimizer, &average, from: folder)
    } catch {
      return .refused("\(error)")
    }
    for parameter in groups[0].parameters {
      let isFinite = parameter.value.elements.allSatisfy { $0.isFinite }
      #expect(isFinite, "\(parameter.name)")
    }
    var progress = state.progress
    progress.digests = progress.digests ?? written.progress.digests
    let isSame =
      progress == written.progress && state.optimizer == written.optimizer
      && optimizer.state == written.optimizer
      && Self.bits(state.parameters) == Self.bits(written.parameters)
      && Self.bits(state.average) == Self.bits(written.average)
    return isSame ? .same : .other
  }

  private static func bits(_ tensors: [String: Tensor]) -> [String: [UInt32]] {
    tensors.mapValues { $0.elements.map(\.bitPattern) }
  }

  func progress() throws -> [String: Any] {
    let object = try JSONSerialization.jsonObject(with: files[Self.progress]!)
    return try #require(object as? [String: Any])
  }

  /// As an earlier release would have written it.
  func withoutDigests(_ changed: [String: Data]) throws -> [String: Data] {
    var changed = changed
    let data = changed[Self.progress] ?? files[Self.progress]!
    guard var object = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
      return changed
    }
    object["digests"] = nil
    changed[Self.progress] = try JSONSerialization.data(withJSONObject: object)
    return changed
  }

  // MARK: Changes

  func changes() throws -> [(name: String, files: [String: Data])] {
    var changes = try progressChanges()
    for name in Self.tensorFiles { changes += tensorChanges(of: name) }
    for (name, data) in files.sorted(by: { $0.key < $1.key }) {
      for part in [0, 1, 7, 8, 9, data.count / 2, data.count - 1] {
        changes.append(("\(name) cut to \(part)", [name: data.prefix(part)]))
      }
      changes.append(("\(name) longer", [name: data + [0]]))
      changes.append(("\(name) zeros", [name: Data(count: data.count)]))
      for place in stride(from: 0, to: data.count, by: max(1, data.count / 24)) {
        var other = data
        other[place] ^= 0x10
        changes.append(("\(name) byte \(place)", [name: other]))
      }
    }
    changes.append(
      ("another's optimizer", ["optimizer.safetensors": files["parameters.safetensors"]!]))
    changes.append(
      ("average for parameters", ["parameters.safetensors": files["average.safetensors"]!]))
    return changes
  }

  private func progressChanges() throws -> [(name: String, files: [String: Data])] {
    let values: [(String, Any)] = [
      ("-1", -1), ("0", 0), ("3", 3), ("0.5", 0.5), ("1099511627777", 1_099_511_627_777),
      ("9223372036854775807", Int.max), ("1e+300", 1e300), ("nan", "nan"), ("inf", "inf"),
      ("x", "x"), ("Lion", "Lion"), ("null", NSNull()), ("[]", [Any]()), ("{}", [String: Any]()),
      ("true", true),
    ]
    let object = try progress()
    var changes: [(name: String, files: [String: Data])] = []
    for way in Self.ways(object) {
      for (word, value) in values.map({ ($0.0, Optional($0.1)) }) + [("missing", nil)] {
        let changed = Self.setting(object, way[...], value)
        changes.append(
          (
            "\(Self.progress) \(way.joined(separator: ".")) \(word)",
            [Self.progress: try JSONSerialization.data(withJSONObject: changed)]
          ))
      }
    }
    return changes
  }

  /// The ways to all entries of objects in objects.
  private static func ways(_ object: [String: Any]) -> [[String]] {
    object.sorted { $0.key < $1.key }.flatMap { key, value in
      [[key]] + ways(value as? [String: Any] ?? [:]).map { [key] + $0 }
    }
  }

  private static func setting(
    _ object: [String: Any], _ way: ArraySlice<String>, _ value: Any?
  ) -> [String: Any] {
    var object = object
    let key = way.first!
    object[key] =
      way.count == 1
      ? value : setting(object[key] as? [String: Any] ?? [:], way.dropFirst(), value)
    return object
  }

  private func tensorChanges(of name: String) -> [(name: String, files: [String: Data])] {
    let tensors = contents[name]!
    var changes: [(name: String, files: [String: Data])] = []
    func add(_ title: String, _ changed: [String: EncodedTensor]) {
      changes.append(("\(name) \(title)", [name: Self.file(of: changed)]))
    }
    let keys = tensors.keys.sorted()
    add("without any", [:])
    add("with one more", tensors.merging(["z": tensors[keys[0]]!]) { $1 })
    for (index, key) in keys.enumerated() {
      let tensor = tensors[key]!
      // The first by its title alone, for `oneLine`, which speaks of 'a.up' in files of parameters.
      let isNamed = key == "a.up" || index == 0 && name.hasPrefix("optimizer")
      func title(_ word: String) -> String { isNamed ? word : "\(word) \(key)" }
      func with(_ other: EncodedTensor) -> [String: EncodedTensor] {
        tensors.merging([key: other]) { $1 }
      }
      for dtype in [DType.f16, .bf16, .f64, .i32, .i64, .u8, .bool, .f8e4m3] {
        let bytes = [UInt8](
          repeating: 1, count: (tensor.shape.count * dtype.bitsPerElement + 7) / 8)
        add(title("\(dtype)"), with(EncodedTensor(dtype, tensor.shape, bytes)))
      }
      if tensor.dtype == .f32, tensor.shape.count > 0 {
        for (word, value) in [
          ("NaN", Float.nan), ("infinite", .infinity), ("huge", 3e38), ("negative", -7),
          ("tiny", .leastNonzeroMagnitude), ("odd", 0.123),
        ] {
          var values = tensor.decoded()
          values.elements[values.count - 1] = value
          add(title(word), with(EncodedTensor(values, as: .f32)))
        }
      }
      var changed = tensors
      changed[key] = nil
      add(isNamed ? "without the first" : "without \(key)", changed)
      changed["other"] = tensor
      add(title("renamed"), changed)
      add(
        title("reshaped"),
        with(EncodedTensor(tensor.dtype, [1, tensor.shape.count], tensor.bytes)))
      add(title("empty"), with(EncodedTensor(tensor.dtype, [0], [])))
      if let twin = keys.first(where: {
        $0 != key && tensors[$0]!.shape == tensor.shape && tensors[$0]!.bytes != tensor.bytes
      }) {
        add(
          title("exchanged"), tensors.merging([key: tensors[twin]!, twin: tensor]) { $1 })
      }
    }
    return changes
  }

  private static func file(of tensors: [String: EncodedTensor]) -> Data {
    let infos = tensors.map { TensorInfo(name: $0, dtype: $1.dtype, shape: $1.shape) }
      .sorted(by: TensorInfo.precedes)
    return infos.reduce(into: Data(HeaderEncoding(infos, metadata: [:]).bytes)) {
      $0 += tensors[$1.name]!.bytes
    }
  }
}

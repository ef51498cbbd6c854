import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

/// An open file of an encoded item: its latents, or what text encoders made of its caption.
struct PreparedFile {
  let path: FilePath
  /// By the names that musubi-tuner's loader gives them; of two formats of one array the later in the file counts.
  let views: [String: TensorView]
  /// As the file has it; empty in a file of latents.
  let caption: String
  /// The program that makes such files.
  private let command: String

  /// Its versions begin with it.
  private static let version = "1."

  /// - Throws: `DatasetError.damaged`, `.prepared` for a file of another model or of a format that is not known.
  init(
    opening path: FilePath, of layout: PreparedLayout, command: String
  ) throws(DatasetError) {
    self.path = path
    self.command = command
    let file: TensorFile
    do throws(SafetensorsError) {
      file = try TensorFile(opening: path)
    } catch {
      throw .damaged(detail: "\(error)", remedy: Self.remedy(command))
    }
    caption = file.metadata["caption1"] ?? ""
    var views: [String: TensorView] = [:]
    for (key, view) in file.tensors {
      views[PreparedArrayName(key)?.content ?? key] = view
    }
    self.views = views
    // Files without metadata are read too, as musubi-tuner does.
    let architecture = file.metadata["architecture"] ?? layout.architecture
    guard architecture == layout.architecture else {
      throw fault("a cache for '\(layout.architecture)'", "one for '\(architecture)'")
    }
    let version = file.metadata["format_version"] ?? Self.version
    guard version.hasPrefix(Self.version) else {
      throw fault("format_version 1", "'\(version)'")
    }
    for view in file.tensors.values where !view.dtype.isConvertible {
      throw fault("numbers of a format that is read here", "\(view.dtype) in '\(view.name)'")
    }
  }

  /// Names of its arrays as they stand in it.
  var names: String {
    views.isEmpty
      ? "no arrays"
      : "arrays " + views.values.map { "'\($0.name)'" }.sorted().joined(separator: ", ")
  }

  /// Arrays of some names, as far as they are there, latents with their channels last.
  /// - Throws: `DatasetError.prepared` for numbers that are not finite.
  func tensors(_ names: Set<String>) throws(DatasetError) -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for (name, view) in views where names.contains(name) {
      let tensor = try finite(view)
      let isLatents = PreparedArrayName.isLatents(name) && tensor.shape.dimensions.count > 2
      tensors[name] = isLatents ? tensor.channelsLast() : tensor
    }
    return tensors
  }

  /// - Throws: as `tensors(_:)`.
  func checkNumbers(of names: Set<String>) throws(DatasetError) {
    for (name, view) in views where names.contains(name) { _ = try finite(view) }
  }

  private func finite(_ view: TensorView) throws(DatasetError) -> Tensor {
    let tensor = view.tensor()
    guard tensor.elements.allSatisfy(\.isFinite) else {
      throw fault("finite numbers in '\(view.name)'", "NaN or infinity")
    }
    return tensor
  }

  /// The error that says how the file is to be made.
  /// - Parameter option: what the program is to be told for it.
  func fault(_ expected: String, _ found: String, option: String? = nil) -> DatasetError {
    .prepared(
      path, expected: expected, found: found,
      remedy: Self.remedy(command + (option.map { " \($0)" } ?? "")))
  }

  private static func remedy(_ command: String) -> String {
    "make it anew with musubi-tuner's '\(command)'"
  }
}

import Machine
import OrderedCollections
package import Pipelines
import Safetensors
import SystemPackage
package import Tensors

/// What text encoders make of the captions of a set, in files beside its images.
///
/// Files that sd-scripts wrote are taken as they are: nothing in them tells the caption that they were made from. Files
/// of our own are made anew where caption or encoders are others.
package struct TextCache: Sendable {
  private let set: TrainingSet
  private let layout: KeptText
  private let trustsDisk: Bool

  /// - Parameter trustsDisk: whether what is there is taken without comparing what it was made from.
  package init(of set: TrainingSet, _ layout: KeptText, trustsDisk: Bool) {
    (self.set, self.layout, self.trustsDisk) = (set, layout, trustsDisk)
  }

  private static let format = "lyco-text-1"
  /// The array that holds our entries; sd-scripts passes over it.
  private static let entries = "lyco"

  /// An image whose file is to be made.
  package struct Missing {
    let path: FilePath
    package let caption: String
  }

  /// - Parameter note: told once of files that are damaged and made anew, and once of those that have other rows than were
  ///   asked for.
  /// - Throws: `DatasetError.cache` for a file that does not match and was not written here, `.sharedText` for a
  ///   file that would be that of two captions, `.noTextEncoder` if there is nothing to make files with.
  package func missing(note: (String) -> Void = { _ in }) throws(DatasetError) -> [Missing] {
    var users: [FilePath: TrainingExample] = [:]
    var missing: [Missing] = []
    var (faults, lengths) = ([String](), [String]())
    defer {
      if let first = faults.first {
        let others = faults.count > 1 ? ", and those of \(faults.count - 1) other captions" : ""
        note("\(first); the cache is made anew\(others)")
      }
      if let first = lengths.first {
        let others = lengths.count > 1 ? ", as in \(lengths.count - 1) other files" : ""
        note("\(first)\(others): what is kept counts; without the files it would be made anew")
      }
    }
    for place in set.places {
      let example = set[place]
      let (path, caption) = (path(of: example), set.fixedCaption(of: example))
      if let other = users.updateValue(example, forKey: path) {
        guard set.fixedCaption(of: other) == caption else {
          throw .sharedText(path, "\(other.path)", "\(example.path)")
        }
        continue
      }
      guard let outputs = try good(path, for: caption, { faults.append($0) }) else {
        missing.append(Missing(path: path, caption: caption))
        continue
      }
      if let asked = layout.asked, let rows = outputs[asked.name]?.shape.rows, rows != asked.rows {
        lengths.append(
          "\(path): '\(asked.name)' has \(rows) rows, and '\(asked.option)' asks for \(asked.rows)")
      }
    }
    if let first = missing.first, layout.identity == nil {
      throw .noTextEncoder(first.path, count: missing.count, total: users.count)
    }
    return missing
  }

  /// Writes the file of an image, which appears whole or not at all.
  /// - Parameter encoded: what caption encoders make of the caption, without the axis of captions.
  /// - Throws: `DatasetError.file`, also for numbers that are not finite.
  package func write(_ encoded: [Tensor], of image: Missing) throws(DatasetError) {
    let kept = layout.arranged?(image.caption, encoded) ?? encoded
    let entries = [
      ("format", Self.format), ("caption", image.caption), ("encoders", layout.identity ?? ""),
    ]
    var arrays: [(name: String, array: NumpyArray)] = []
    precondition(
      kept.count == layout.arrays.count,
      "\(kept.count) arrays of \(layout.arrays.map(\.name)) to keep")
    var rows: [String: Int] = [:]
    for (tensor, (name, _)) in zip(kept, layout.arrays) {
      guard tensor.elements.allSatisfy(\.isFinite) else {
        throw .file(
          image.path,
          detail: "\(image.path): the text encoders make NaN or infinity of '\(image.caption)'")
      }
      rows[name] = tensor.shape.rows
      arrays.append(
        (name, layout.integers.contains(name) ? NumpyArray(integers: tensor) : NumpyArray(tensor)))
    }
    for (name, other, columns) in layout.zeros {
      arrays.append((name, NumpyArray(Tensor(zeros: [rows[other] ?? 0, columns]))))
    }
    for (name, value) in layout.statements { arrays.append((name, NumpyArray(value))) }
    let text = JSONValue.object(entries.map { ($0.0, .string($0.1)) }).pythonText
    arrays.append((Self.entries, NumpyArray(text)))
    try NumpyArchive(arrays).write(to: image.path)
  }

  /// What is kept of an image's caption, by the names of arrays.
  /// - Throws: `DatasetError.cache` if the file is not what it was when the run began.
  func read(_ place: TrainingSet.Place) throws(DatasetError) -> [String: Tensor] {
    let path = path(of: set[place])
    return try outputs(in: NumpyArchive(reading: path), at: path)
  }

  // MARK: Files

  private func path(of example: TrainingExample) -> FilePath {
    FilePath(named: example.path.withoutEnding.text + layout.ending)
  }

  /// What a file holds; nil where it is to be made.
  private func good(
    _ path: FilePath, for caption: String, _ note: (String) -> Void
  ) throws(DatasetError) -> [String: Tensor]? {
    guard FileListing.exists(path) else { return nil }
    let archive: NumpyArchive
    do throws(DatasetError) {
      archive = try NumpyArchive(reading: path)
    } catch {
      guard error.isDamage, (try? MappedFile(path)) != nil else { throw error }
      note(error.fault)
      return nil
    }
    let entries = archive[Self.entries].flatMap { JSONValue(parsing: $0.text) }
    let isOurs = entries?["format"]?.text == Self.format
    let outputs: [String: Tensor]
    do throws(DatasetError) {
      outputs = try self.outputs(in: archive, at: path)
    } catch {
      guard isOurs, layout.identity != nil else { throw error }
      note(error.fault)
      return nil
    }
    guard isOurs, !trustsDisk else { return outputs }
    let isOfCaption = entries?["caption"]?.text == caption
    let isOfEncoders = layout.identity.map { entries?["encoders"]?.text == $0 } ?? true
    return isOfCaption && isOfEncoders ? outputs : nil
  }

  private func outputs(
    in archive: NumpyArchive, at path: FilePath
  ) throws(DatasetError) -> [String: Tensor] {
    var outputs: [String: Tensor] = [:]
    var columns = 0
    for (name, extents) in layout.arrays {
      let tensor = try tensor(name, extents, of: archive, at: path)
      if let most = layout.limits[name], tensor.shape.columns > most {
        throw .cache(
          path, expected: "at most \(most) columns in '\(name)', as the model reads it",
          found: "\(tensor.shape)")
      }
      if extents.count == 2 { columns += tensor.shape.columns }
      outputs[name] = tensor
    }
    for (name, other) in layout.equalRows {
      guard let rows = outputs[name]?.shape.rows, let expected = outputs[other]?.shape.rows,
        rows != expected
      else { continue }
      throw .cache(
        path, expected: "as many numbers in '\(name)' as '\(other)' has rows, \(expected)",
        found: "\(rows)")
    }
    for (name, value) in layout.statements {
      guard let found = archive[name]?.numbers.first.map({ $0 != 0 }) else {
        throw .cache(path, expected: "array '\(name)'", found: "none")
      }
      guard found == value else {
        throw .cache(
          path, expected: "text encoded with" + (value ? " '--\(name)'" : "out '--\(name)'"),
          found: "'\(name)' \(found ? "True" : "False"): \(found ? "give" : "leave out") the option"
        )
      }
    }
    guard let expected = layout.columns, expected != columns else { return outputs }
    throw .cache(
      path, expected: "text of \(expected) columns, as the model reads it", found: "\(columns)")
  }

  private func tensor(
    _ name: String, _ extents: [Int?], of archive: NumpyArchive, at path: FilePath
  ) throws(DatasetError) -> Tensor {
    let text = extents.map { $0.map { "\($0)" } ?? "any" }.joined(separator: ", ")
    guard let array = archive[name],
      let tensor = layout.integers.contains(name) ? array.numeric : array.tensor
    else {
      let names = archive.arrays.map { "'\($0.name)'" }.joined(separator: ", ")
      throw .cache(path, expected: "array '\(name)' [\(text)]", found: "arrays \(names)")
    }
    let found = tensor.shape.dimensions
    guard found.count == extents.count, zip(found, extents).allSatisfy({ $0 > 0 && $1 ?? $0 == $0 })
    else {
      throw .cache(path, expected: "array '\(name)' [\(text)]", found: "\(tensor.shape)")
    }
    guard tensor.elements.allSatisfy(\.isFinite) else {
      throw .cache(path, expected: "finite numbers in '\(name)'", found: "NaN or infinity")
    }
    return tensor
  }
}

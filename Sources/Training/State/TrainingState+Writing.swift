import Machine
import Safetensors
package import SystemPackage
import Tensors

extension TrainingState {
  /// Writes the files of the folder, which change places together: see `OutputSet`. What else is in the folder
  /// stays.
  /// - Throws: `StateError`; then the old state is there, or, where that failed between two files, one that
  ///   resuming finishes
  package func write(to folder: FilePath) throws(StateError) {
    do throws(SafetensorsError) {
      var set = OutputSet()
      try set.makeFolder(folder)
      try add(
        parameters.map { ($0.key, EncodedTensor($0.value, as: .f32)) },
        at: folder.appending(Name.parameters), to: &set)
      try add(
        optimizer.tensors.map { ($0.key, $0.value) }, at: folder.appending(Name.optimizer),
        to: &set)
      let average = folder.appending(Name.average)
      if progress.averageCount > 0 {
        try add(
          self.average.map { ($0.key, EncodedTensor($0.value, as: .f32)) }, at: average, to: &set)
      } else {
        set.remove(average)
      }
      try set.add(progress.encoded, at: folder.appending(Name.progress))
      try set.commit()
    } catch {
      throw .file(error)
    }
  }

  private func add(
    _ tensors: [(name: String, tensor: EncodedTensor)], at path: FilePath, to set: inout OutputSet
  ) throws(SafetensorsError) {
    let byName = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.tensor) })
    var writer = try SafetensorsWriter.create(
      path,
      announcing: tensors.map {
        TensorInfo(name: $0.name, dtype: $0.tensor.dtype, shape: $0.tensor.shape)
      }, metadata: [:])
    for info in writer.order {
      guard let tensor = byName[info.name] else { continue }
      try writer.append(info.name, tensor.rawBytes)
    }
    try writer.seal(into: &set)
  }

  // MARK: Removing

  /// Removes a state: its files, and the folder if nothing else is in it. What is no state of ours stays as it
  /// is, and so does what cannot be removed.
  package static func remove(_ folder: FilePath) {
    guard (try? formatVersion(in: folder)) != nil else {
      return removeRemains(folder)
    }
    // First what makes it a state: it is whole or none.
    try? folder.appending(Name.progress).removeFile()
    removeFiles(folder)
  }

  /// Removes what is left of a state whose removal was interrupted: a folder of its files and nothing else. One
  /// whose writing was interrupted looks like it, but can be finished.
  package static func removeRemains(_ folder: FilePath) {
    let names = [Name.parameters, Name.optimizer, Name.average]
    guard (try? Exchange.check(folder)) != nil, folder.kind == .folder,
      let found = try? folder.names(), !found.isEmpty,
      found.allSatisfy(names.contains)
    else { return }
    removeFiles(folder)
  }

  /// Removes the files of a state, and the folder if nothing else is in it.
  private static func removeFiles(_ folder: FilePath) {
    for name in [Name.parameters, Name.optimizer, Name.average] {
      try? folder.appending(name).removeFile()
    }
    try? folder.removeFolder()
  }

  /// The format of a state in a folder; nil for one of other trainers.
  private static func formatVersion(in folder: FilePath) throws(SafetensorsError) -> Int? {
    let file = try MappedFile(folder.appending(Name.progress))
    let text = unsafe file.bytes.withUnsafeBufferPointer {
      unsafe String(decoding: $0, as: UTF8.self)
    }
    return JSONValue(parsing: text)?["format_version"]?.integer
  }
}

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
      // While it is empty, another run takes it for what is left of a state.
      let held = try set.makeHeldFolder(folder)
      defer { withExtendedLifetime(held) {} }
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
  /// is, and so does what cannot be removed. One whose writing was interrupted is finished first, and stays where
  /// that fails.
  package static func remove(_ folder: FilePath) {
    guard folder.kind == .folder else { return }
    _ = try? Exchange.finish(at: folder)
    guard (try? Exchange.check(folder)) != nil, (try? formatVersion(in: folder)) != nil else {
      return removeRemains(folder)
    }
    // First what makes it a state: it is whole or none.
    guard (try? folder.appending(Name.progress).removeFile()) != nil else { return }
    removeFiles(folder)
  }

  /// Removes what is left of a state whose removal was interrupted, or whose writing was before it had begun to
  /// take its place: a folder of its files, or of none, and nothing else. One that was interrupted later looks like
  /// it, but can be finished. A folder that another process is writing to stays.
  package static func removeRemains(_ folder: FilePath) {
    let names = [Name.parameters, Name.optimizer, Name.average]
    guard folder.kind == .folder, let held = HeldFolder(folder),
      (try? Exchange.check(folder)) != nil,
      let found = try? folder.names(),
      found.allSatisfy({ names.contains($0) && folder.appending($0).kind == .regular })
    else { return }
    held.sweep()
    removeFiles(folder)
  }

  /// Removes the files of a state, and the folder if nothing else is in it.
  private static func removeFiles(_ folder: FilePath) {
    for name in [Name.parameters, Name.optimizer, Name.average] {
      try? folder.appending(name).removeFile()
    }
    try? folder.removeFolder()
  }

  /// Whether a folder holds this very state, whole.
  func isWritten(in folder: FilePath) -> Bool {
    guard (try? Exchange.check(folder)) != nil, let written = try? TrainingState(opening: folder)
    else { return false }
    return written.progress == progress && progress.digests == written.digests
  }

  /// When the state in a folder was written; nil where none is, or it is not whole.
  static func time(of folder: FilePath) -> Int? {
    guard (try? Exchange.check(folder)) != nil, (try? formatVersion(in: folder)) != nil else {
      return nil
    }
    return folder.appending(Name.progress).modificationTime
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

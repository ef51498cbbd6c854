import CPlatform
import FoundationEssentials
import Safetensors
package import SystemPackage
import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

extension TrainingState {
  /// Writes the folder whole or not at all: what was there before stays until the new one is on disk.
  /// - Throws: `StateError`; then nothing is left behind
  package func write(to folder: FilePath) throws(StateError) {
    let name = folder.lastComponent?.string ?? "state"
    let parent = folder.removingLastComponent()
    // One name for the folder, so that what a killed process left goes with the next attempt.
    let pending = parent.appending(".\(name).tmp")
    try remove(pending)
    do throws(StateError) {
      try createFolder(pending)
      try writeTensors(
        parameters.map { ($0.key, EncodedTensor($0.value, as: .f32)) },
        to: pending.appending(Name.parameters))
      try writeTensors(
        optimizer.tensors.map { ($0.key, $0.value) }, to: pending.appending(Name.optimizer))
      if progress.averageCount > 0 {
        try writeTensors(
          average.map { ($0.key, EncodedTensor($0.value, as: .f32)) },
          to: pending.appending(Name.average))
      }
      try writeProgress(to: pending.appending(Name.progress))
      try syncFolder(pending)
      try publish(pending, as: folder)
    } catch {
      try? remove(pending)
      throw error
    }
    // The state is in place; what cannot be removed now goes with the next one.
    try? remove(pending)
    try syncFolder(parent.isEmpty ? "." : parent)
  }

  /// Gives the folder its name; a folder that has it gets that of the new one.
  private func publish(_ pending: FilePath, as folder: FilePath) throws(StateError) {
    guard FileManager.default.fileExists(atPath: folder.string) else {
      return try move(pending, folder)
    }
    let exchanged = unsafe pending.withPlatformString { pending in
      unsafe folder.withPlatformString { unsafe lyco_exchange(pending, $0) }
    }
    guard exchanged != 0 else { return }
    // Where the system has no exchange, it takes two steps; between them the old state has a hidden name.
    let old = folder.removingLastComponent().appending(".\(folder.lastComponent?.string ?? "").old")
    try remove(old)
    try move(folder, old)
    do throws(StateError) {
      try move(pending, folder)
    } catch {
      try? move(old, folder)
      throw error
    }
    try? remove(old)
  }

  private func writeTensors(
    _ tensors: [(name: String, tensor: EncodedTensor)], to path: FilePath
  ) throws(StateError) {
    do throws(SafetensorsError) {
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
      try writer.finish()
    } catch {
      throw .file(error)
    }
  }

  private func writeProgress(to path: FilePath) throws(StateError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    guard let text = try? encoder.encode(progress) else {
      preconditionFailure("a progress that JSON cannot hold")
    }
    do {
      let file = try FileDescriptor.open(
        path, .writeOnly, options: [.create, .truncate],
        permissions: FilePermissions(rawValue: 0o666))
      try file.closeAfter {
        _ = try file.writeAll(text)
        guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
      }
    } catch {
      throw .io(path, "write", error as? Errno ?? .ioError)
    }
  }

  private func createFolder(_ path: FilePath) throws(StateError) {
    do {
      try FileManager.default.createDirectory(
        atPath: path.string, withIntermediateDirectories: true)
    } catch {
      throw .io(path, "create a folder for", Errno(rawValue: errno))
    }
  }

  private func remove(_ path: FilePath) throws(StateError) {
    guard FileManager.default.fileExists(atPath: path.string) else { return }
    do {
      try FileManager.default.removeItem(atPath: path.string)
    } catch {
      throw .io(path, "remove", Errno(rawValue: errno))
    }
  }

  private func move(_ source: FilePath, _ target: FilePath) throws(StateError) {
    let status = unsafe source.withPlatformString { source in
      unsafe target.withPlatformString { unsafe rename(source, $0) }
    }
    guard status == 0 else { throw .io(target, "rename", Errno(rawValue: errno)) }
  }

  /// Makes what happened in a folder last.
  private func syncFolder(_ path: FilePath) throws(StateError) {
    do {
      let folder = try FileDescriptor.open(path, .readOnly)
      // Some network file systems cannot sync a folder; the files in it are synced.
      try folder.closeAfter { _ = fsync(folder.rawValue) }
    } catch {
      throw .io(path, "sync", error as? Errno ?? .ioError)
    }
  }
}

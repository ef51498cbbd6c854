import Machine
import SystemPackage
import Tensors
import TorchFiles

extension SafetensorsError: CustomStringConvertible {
  /// What is said of names that other tools would download: `owner/model`, or an address.
  private static func download(_ path: String) -> String {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    let isAddress = path.hasPrefix("https:") || path.hasPrefix("http:") || path.hasPrefix("hf:")
    let isHubName =
      parts.count == 2 && parts.allSatisfy { !$0.isEmpty && !$0.hasPrefix(".") }
      && !["safetensors", "zst", "ckpt", "pt", "pth", "bin", "json"]
        .contains { path.hasSuffix(".\($0)") }
    return isAddress || isHubName
      ? "; nothing is downloaded: expected a file or folder that is here"
      : ""
  }

  /// One line: file, tensor, what was expected and found, what to do.
  public var description: String {
    switch self {
    case .io(let file, let operation, let errno):
      let reason = "\(errno)"
      return "\(file): cannot \(operation): \(reason.prefix(1).lowercased())\(reason.dropFirst())"
        + (operation == .open && errno == .noSuchFileOrDirectory ? Self.download(file.string) : "")
    case .notAFile(let file, let found):
      return "\(file): expected a file, found \(found.rawValue)"
    case .notAFolder(let path, let found):
      return "\(path): expected a folder, found \(found.rawValue)"
    case .foreign(let file, let format):
      return "\(file): \(format.advice)"
    case .torch(let file, let error):
      return "\(file): \(error)"
    case .noWeights(let folder):
      return "\(folder): expected safetensors or torch files in the folder, found none"
    case .ambiguous(let folder, let candidates):
      return "\(folder): expected one model, found \(candidates.count) (\(list(candidates)));"
        + " name one of them"
    case .noSpace(let file, let needed, let available):
      return "\(file): disk too full: the file needs \(needed) bytes, \(available) are free"
    case .torchName(let file):
      return "\(file): expected a name of safetensors, which is what is written, such as "
        + "'\(file.safetensorsName)'"

    case .unfinished(let file, let isRunning):
      return isRunning
        ? "\(file): its files are being replaced by a process that is at work; try again when it is done"
        : "\(file): an interrupted run has begun to replace its files and has not ended; "
          + "'\(finishCommand(file))' puts the rest in place"
    case .torn(let reason, let file):
      return
        "\(reason); some files are in place and some are not: '\(finishCommand(file))' puts the "
        + "rest there"
    case .notEnded(let reason, let file):
      return "\(reason); all files are in place: '\(finishCommand(file))' ends it"
    case .foreignExchange(let folder, let replaced, let removed):
      let parts = [("replaces", replaced), ("removes", removed)].filter { !$0.1.isEmpty }
      return
        "\(folder.appending(Exchange.folderName)): expected what this user's run has begun in this "
        + "folder, found what came with it; '\(finishCommand(folder))' "
        + parts.map { "\($0) \(list($1.map { $0.string }))" }.joined(separator: " and ")
        + "; remove it if the files are to stay as they are"
    case .cannotFinish(let folder, let file):
      return
        "\(file): expected the file that an interrupted run was to put here, found another: remove "
        + "'\(folder.appending(Exchange.folderName))' if the files of this folder are what you want"
    case .otherSet(let index, let shard):
      return
        "\(index): shard '\(escaped(shard))' was not written together with this index: its files are "
        + "a mixture of two; write the checkpoint again, or take all its files from one place"

    case .tooShort(let file, let length):
      return length == 0
        ? "\(file): the file is empty"
        : "\(file): expected at least 8 bytes, found \(length)"
    case .headerTooLarge(let file, let length):
      return "\(file): expected a header of at most \(Header.largestLength) bytes, found \(length)"
    case .headerBeyondEnd(let file, let length, let available):
      return "\(file): truncated: the header takes \(length) bytes, \(available) are there"
    case .notUTF8(let file, let offset):
      return "\(file): JSON: expected UTF-8, found an invalid byte at \(offset)"
    case .syntax(let file, let tensor, let offset, let expected, let found):
      return "\(file): \(place(tensor)): expected \(expected.rawValue) at byte \(offset),"
        + " found \(character(found))"
    case .json(let file, let offset, let expected, let found):
      return
        "\(file): JSON: expected \(expected.rawValue) at byte \(offset), found \(character(found))"
    case .textTooLong(let file, let limit, let found):
      return "\(file): expected at most \(limit) bytes of JSON, found \(found)"
    case .nestedTooDeeply(let file, let limit):
      return "\(file): header: expected at most \(limit) levels of nesting, found more"
    case .duplicateMetadata(let file):
      return "\(file): header: expected one '__metadata__', found two"
    case .metadataNotString(let file, let key):
      return "\(file): metadata '\(escaped(key))': expected a string, found another value"
    case .duplicateTensor(let file, let tensor):
      return "\(file): \(place(tensor)): expected one tensor of this name, found two"
    case .duplicateField(let file, let tensor, let field):
      return "\(file): \(place(tensor)): expected one '\(field)', found two"
    case .missingField(let file, let tensor, let field):
      return "\(file): \(place(tensor)): expected '\(field)', found none"
    case .unknownDType(let file, let tensor, let found):
      return "\(file): \(place(tensor)): expected a known dtype, found '\(escaped(found))'"
    case .notUnsigned(let file, let tensor, let field, let found):
      return "\(file): \(place(tensor)): '\(field)': expected an integer from 0 to \(Int.max),"
        + " found \(escaped(found))"
    case .offsetCount(let file, let tensor, let found):
      return "\(file): \(place(tensor)): expected 2 data offsets, found \(found)"

    case .shapeOverflow(let file, let tensor, let dtype, let shape):
      return "\(file): \(place(tensor)): expected a size below 2^63 bits, found"
        + " \(dtype) \(brief(shape))"
    case .partialByte(let file, let tensor, let dtype, let shape):
      return "\(file): \(place(tensor)): expected whole bytes, found \(dtype) \(brief(shape)) of"
        + " \(shape.count * dtype.bitsPerElement) bits"
    case .reversedOffsets(let file, let tensor, let begin, let end):
      return "\(file): \(place(tensor)): expected data offsets in order, found [\(begin), \(end)]"
    case .sizeMismatch(let file, let tensor, let dtype, let shape, let expected, let found):
      return "\(file): \(place(tensor)): expected \(expected) bytes for \(dtype) \(brief(shape)),"
        + " found \(found)"
    case .overlap(let file, let tensor, let begin, let previousEnd):
      return "\(file): \(place(tensor)): overlap: expected data at offset \(previousEnd),"
        + " found \(begin)"
    case .hole(let file, let tensor, let begin, let previousEnd):
      return "\(file): \(place(tensor)): hole: expected data at offset \(previousEnd),"
        + " found \(begin)"
    case .truncatedData(let file, let expected, let found):
      return "\(file): truncated: expected \(expected) bytes, found \(found)"
    case .trailingBytes(let file, let expected, let found):
      return "\(file): bytes after the last tensor: expected \(expected), found \(found)"

    case .missingWeightMap(let index):
      return "\(index): expected a 'weight_map', found none"
    case .duplicateInIndex(let index, let tensor):
      return "\(index): \(place(tensor)): expected one entry in the weight map, found two"
    case .shardOutsideFolder(let index, let tensor, let shard):
      return "\(index): \(place(tensor)): expected a shard beside the index, found"
        + " '\(escaped(shard))'"
    case .missingShard(let index, let tensor, let shard):
      return "\(index): \(place(tensor)): expected shard '\(escaped(shard))', found no such file"
    case .missingFromShard(let index, let tensor, let shard):
      return "\(index): \(place(tensor)): expected in shard '\(escaped(shard))', not found there"
    case .missingFromIndex(let index, let tensor, let shard):
      return "\(index): \(place(tensor)): found in shard '\(escaped(shard))', expected in the"
        + " weight map too"
    case .inTwoShards(let index, let tensor, let first, let second):
      return "\(index): \(place(tensor)): expected in one shard, found in '\(escaped(first))' and"
        + " '\(escaped(second))'"
    case .shardsWithoutIndex(let folder, let shards):
      return "\(folder): expected a '.safetensors.index.json' beside the shards"
        + " (\(list(shards))), found none"

    case .truncatedZstd(let file):
      return "\(file): zstd stream is truncated"
    case .corruptZstd(let file, let reason):
      return "\(file): zstd stream is corrupt: \(reason.lowercased())"
    case .zstdEncoder(let file, let reason):
      return "\(file): cannot compress: \(reason.lowercased())"
    }
  }
}

/// What puts the files of an interrupted exchange in place.
private func finishCommand(_ path: FilePath) -> String {
  let text = path.string
  let isPlain = text.utf8.allSatisfy { byte in
    byte < 0x80
      && (Character(Unicode.Scalar(byte)).isLetter || Character(Unicode.Scalar(byte)).isNumber
        || "/._-+,:@%".utf8.contains(byte))
  }
  return "lyco-inspect --finish "
    + (isPlain ? text : "\"" + text.replacing("\"", with: "\\\"") + "\"")
}

private func place(_ tensor: String?) -> String {
  tensor.map { "tensor '\(escaped($0))'" } ?? "JSON"
}

private func escaped(_ text: String) -> String { text.escapedForLine }

private func brief(_ shape: Shape) -> String {
  guard shape.dimensions.count > 16 else { return shape.description }
  return "a shape of \(shape.dimensions.count) extents"
}

private func list(_ names: [String]) -> String {
  names.prefix(8).map(escaped).joined(separator: ", ")
    + (names.count > 8 ? " and \(names.count - 8) more" : "")
}

private func character(_ byte: UInt8?) -> String {
  guard let byte else { return "the end" }
  let digits = String(byte, radix: 16, uppercase: true)
  return (0x21...0x7E).contains(byte) ? "'\(Unicode.Scalar(byte))'" : "byte 0x\(digits)"
}

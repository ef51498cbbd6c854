package import Machine
package import SystemPackage
package import Tensors
package import TorchFiles

/// Why a file cannot be opened or written. Each case carries the file, the tensor where there is
/// one, and what was expected and found.
package enum SafetensorsError: Error, Hashable, Sendable {
  // === Files ===
  /// A system call failed.
  case io(FilePath, FileOperation, Errno)
  /// A path that is read or replaced as a file is something else.
  case notAFile(FilePath, found: FileKind)
  /// A path that files are to lie in is something else.
  case notAFolder(FilePath, found: FileKind)
  /// The content is of another format.
  case foreign(FilePath, ForeignFormat)
  /// A file of torch's cannot be read.
  case torch(FilePath, TorchFileError)
  /// A folder, its components included, holds no weights.
  case noWeights(FilePath)
  /// A folder holds several files and none has the plain name.
  case ambiguous(FilePath, candidates: [String])
  /// The disk has less room than the file will take.
  case noSpace(FilePath, needed: Int, available: Int)
  /// The name is one of torch's files, and safetensors would be written under it.
  case torchName(FilePath)

  // === Sets of files ===
  /// Some files of a set have been replaced and some have not.
  case unfinished(FilePath, isRunning: Bool)
  /// Replacing the files of a set failed when it had begun.
  case torn(reason: String, at: FilePath)
  /// The files of a set are all in place, and what follows failed.
  case notEnded(reason: String, at: FilePath)
  /// An interrupted replacement was begun in another folder, or by another user.
  case foreignExchange(FilePath, replaced: [FilePath], removed: [FilePath])
  /// An interrupted replacement cannot be finished: a file is neither the new one nor ready to be.
  case cannotFinish(FilePath, file: FilePath)
  /// A shard was not written together with its index.
  case otherSet(FilePath, shard: String)

  // === Header ===
  case tooShort(FilePath, length: Int)
  case headerTooLarge(FilePath, length: UInt64)
  case headerBeyondEnd(FilePath, length: Int, available: Int)
  case notUTF8(FilePath, offset: Int)
  /// The header is not the JSON it should be; `offset` counts from the start of the header.
  case syntax(FilePath, tensor: String?, offset: Int, expected: Syntax, found: UInt8?)
  case nestedTooDeeply(FilePath, limit: Int)
  case duplicateMetadata(FilePath)
  case metadataNotString(FilePath, key: String)
  case duplicateTensor(FilePath, tensor: String)
  case duplicateField(FilePath, tensor: String, field: String)
  case missingField(FilePath, tensor: String, field: String)
  case unknownDType(FilePath, tensor: String, found: String)
  /// A number that must be an unsigned integer is not one, or does not fit.
  case notUnsigned(FilePath, tensor: String, field: String, found: String)
  case offsetCount(FilePath, tensor: String, found: Int)

  // === Texts beside a file ===
  /// A file that holds nothing but JSON holds something else.
  case json(FilePath, offset: Int, expected: Syntax, found: UInt8?)
  case textTooLong(FilePath, limit: Int, found: Int)

  // === Data ===
  case shapeOverflow(FilePath, tensor: String, dtype: DType, shape: Shape)
  /// Elements narrower than a byte do not fill their last one.
  case partialByte(FilePath, tensor: String, dtype: DType, shape: Shape)
  case reversedOffsets(FilePath, tensor: String, begin: Int, end: Int)
  case sizeMismatch(
    FilePath, tensor: String, dtype: DType, shape: Shape, expected: Int, found: Int)
  case overlap(FilePath, tensor: String, begin: Int, previousEnd: Int)
  case hole(FilePath, tensor: String, begin: Int, previousEnd: Int)
  case truncatedData(FilePath, expected: Int, found: Int)
  case trailingBytes(FilePath, expected: Int, found: Int)

  // === Shards ===
  case missingWeightMap(FilePath)
  case duplicateInIndex(FilePath, tensor: String)
  /// A shard's name in the index leaves the folder of the index.
  case shardOutsideFolder(FilePath, tensor: String, shard: String)
  case missingShard(FilePath, tensor: String, shard: String)
  case missingFromShard(FilePath, tensor: String, shard: String)
  case missingFromIndex(FilePath, tensor: String, shard: String)
  case inTwoShards(FilePath, tensor: String, first: String, second: String)
  /// A folder holds shards without the index that says they are complete.
  case shardsWithoutIndex(FilePath, shards: [String])

  // === Compression ===
  case truncatedZstd(FilePath)
  case corruptZstd(FilePath, reason: String)
  case zstdEncoder(FilePath, reason: String)
}

/// What was being done to a file when the system refused.
package enum FileOperation: String, Sendable {
  case open, inspect, list, map, read, create, write, sync, link, rename, remove
}

/// What a reader of JSON may expect next.
package enum Syntax: String, Sendable {
  case object = "'{'"
  case array = "'['"
  case string = "a string"
  case key = "a quoted name"
  case colon = "':'"
  case commaOrBrace = "',' or '}'"
  case commaOrBracket = "',' or ']'"
  case value = "a value"
  case digit = "a digit"
  case finiteNumber = "a number that a double can hold"
  case escape = "one of \"\\/bfnrtu after a backslash"
  case hexadecimal = "four hexadecimal digits"
  case surrogate = "a surrogate pair"
  case closingQuote = "a closing quote"
  case end = "no more"
}

import Safetensors
import Tensors
import Testing

/// One test per rule for shapes, offsets and where the data ends.
@Suite struct DataRejectionTests {
  @Test func rejectsShapeOverflow() {
    expectRejection("shape-overflow.safetensors") {
      .shapeOverflow($0, tensor: "a", dtype: .f32, shape: [1 << 62, 1 << 62])
    }
  }

  @Test func rejectsSizeOverflow() {
    expectRejection("size-overflow.safetensors") {
      .shapeOverflow($0, tensor: "a", dtype: .f32, shape: [1 << 61])
    }
  }

  @Test func rejectsOverflowHiddenByAnEmptyAxis() {
    expectRejection("zero-extent-hides-overflow.safetensors") {
      .shapeOverflow($0, tensor: "a", dtype: .f32, shape: [0, 1 << 62, 1 << 62])
    }
  }

  @Test func rejectsPartialByte() {
    expectRejection("partial-byte.safetensors") {
      .partialByte($0, tensor: "a", dtype: .f4, shape: [3])
    }
  }

  @Test func rejectsReversedOffsets() {
    expectRejection("reversed-offsets.safetensors") {
      .reversedOffsets($0, tensor: "a", begin: 4, end: 0)
    }
  }

  @Test func rejectsSizeThatDisagreesWithShape() {
    expectRejection("size-mismatch.safetensors") {
      .sizeMismatch($0, tensor: "a", dtype: .f32, shape: [2], expected: 8, found: 4)
    }
  }

  @Test func rejectsOverlappingOffsets() {
    expectRejection("overlapping-offsets.safetensors") {
      .overlap($0, tensor: "b", begin: 2, previousEnd: 4)
    }
    expectRejection("shared-offsets.safetensors") {
      .overlap($0, tensor: "b", begin: 0, previousEnd: 4)
    }
  }

  @Test func rejectsHoleAtTheStart() {
    expectRejection("hole-at-start.safetensors") {
      .hole($0, tensor: "a", begin: 4, previousEnd: 0)
    }
  }

  @Test func rejectsHoleBetweenTensors() {
    expectRejection("hole-between.safetensors") {
      .hole($0, tensor: "b", begin: 8, previousEnd: 4)
    }
  }

  @Test func rejectsEmptyTensorOutsideTheData() {
    expectRejection("empty-tensor-outside.safetensors") {
      .hole($0, tensor: "z", begin: 8, previousEnd: 4)
    }
  }

  @Test func rejectsTruncatedData() {
    expectRejection("truncated-data.safetensors") {
      .truncatedData($0, expected: 66, found: 65)
    }
  }

  @Test func rejectsTrailingBytes() {
    expectRejection("trailing-bytes.safetensors") {
      .trailingBytes($0, expected: 66, found: 67)
    }
    expectRejection("trailing-bytes-without-tensors.safetensors") {
      .trailingBytes($0, expected: 10, found: 14)
    }
  }
}

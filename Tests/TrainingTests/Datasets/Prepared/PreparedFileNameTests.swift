import Testing

@testable import Training

/// Names of caches are read from their end.
struct PreparedFileNameTests {
  @Test(
    arguments: [
      ("a_0048x0032_wan.safetensors", false, "a", 48, 32, nil),
      ("my_cat_2_1280x0720_wan.safetensors", false, "my_cat_2", 1280, 720, nil),
      ("clip_00000-025_0960x0544_wan.safetensors", true, "clip", 960, 544, 25),
      ("a_b_00012-005-03_0960x0544_wan.safetensors", true, "a_b", 960, 544, 5),
      // An image whose name ends as that of a part of a video.
      ("clip_00000-025_0960x0544_wan.safetensors", false, "clip_00000-025", 960, 544, nil),
      ("_0048x0032_wan.safetensors", false, "", 48, 32, nil),
    ] as [(String, Bool, String, Int, Int, Int?)])
  func read(
    _ name: String, isVideo: Bool, stem: String, width: Int, height: Int, frames: Int?
  ) throws {
    let read = try #require(PreparedFileName(name, of: "wan", isVideo: isVideo))
    #expect(read.stem == stem && read.size == Resolution(width, height))
    #expect(read.frameCount == frames)
  }

  @Test(arguments: [
    ("a_wan.safetensors", false), ("a_0048x0032_hv.safetensors", false),
    ("a_0048x0032x1_wan.safetensors", false), ("a_0048_wan.safetensors", false),
    ("a_-48x32_wan.safetensors", false), ("a_0000x0032_wan.safetensors", false),
    ("a_99999999999999999999x32_wan.safetensors", false), ("a_100000x32_wan.safetensors", false),
    ("a_x_wan.safetensors", false), ("0048x0032_wan.safetensors", false),
    ("a_0048x0032_wan_te.safetensors", false), ("a_0048x0032_wan.safetensors", true),
    ("a_00000_0048x0032_wan.safetensors", true), ("a_0-0_0048x0032_wan.safetensors", true),
    ("0-5_0048x0032_wan.safetensors", true),
  ])
  func others(_ name: String, isVideo: Bool) {
    #expect(PreparedFileName(name, of: "wan", isVideo: isVideo) == nil)
  }
}

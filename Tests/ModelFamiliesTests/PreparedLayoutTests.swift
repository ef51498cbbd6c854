import ModelFamilies
import Testing

/// What families say of items that come encoded.
struct PreparedLayoutTests {
  /// Words of musubi-tuner's `dataset/architectures.py`, and its programs.
  @Test(
    arguments: [
      ("hunyuan-video", "hv", "hunyuan_video", "", 0.476986),
      ("wan", "wan", "wan", "wan_", 1),
    ] as [(String, String, String, String, Float)])
  func ofMusubi(
    _ family: String, word: String, architecture: String, command: String, scale: Float
  ) throws {
    let family = try #require(ModelFamily.named(family))
    #expect(
      family.prepared
        == PreparedLayout(
          name: word, architecture: architecture, step: 16,
          latentsCommand: "\(command)cache_latents.py",
          textCommand: "\(command)cache_text_encoder_outputs.py"))
    let latents = try #require(family.latents)
    #expect(latents.channels == 16 && latents.stride == 8 && latents.scale == scale)
    // 25 frames are seven of latents, of which the first stands for one.
    #expect([1, 5, 25].map(latents.frames) == [1, 2, 7])
  }

  /// Words tell models apart, and latents are known of each.
  @Test func wordsDiffer() {
    let families = ModelFamily.all.filter { $0.prepared != nil }
    #expect(Set(families.compactMap { $0.prepared?.name }).count == families.count)
    #expect(families.allSatisfy { $0.latents != nil } && !families.isEmpty)
  }

  /// Pictures have no frames.
  @Test func ofPictures() throws {
    let family = try #require(ModelFamily.named("sdxl"))
    #expect(family.prepared == nil && family.latents?.frameStride == 1)
    #expect(family.latents?.frames(ofVideo: 5) == 5)
  }
}

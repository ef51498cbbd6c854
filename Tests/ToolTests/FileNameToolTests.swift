import Foundation
import SystemPackage
import TestSupport
import Testing

/// Names of files that are no UTF-8 are inputs and outputs like any other.
@Suite struct FileNameToolTests {
  /// The last line that a script of the shell writes, in which `\377` can be written.
  private func shell(_ script: String, in folder: borrowing TemporaryFolder) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    let setup = """
      set -e; exec 2>&1; B='\(ToolRun.executable("lyco-convert").deletingLastPathComponent().path)'
      F='\(Fixtures.path("lora/sd1-small").string)'; T='\(Fixtures.path("training/tiny").string)'
      cd '\(folder.path)'

      """
    process.arguments = ["-c", setup + script]
    let output = folder.file("log").string
    _ = FileManager.default.createFile(atPath: output, contents: nil)
    process.standardOutput = FileHandle(forWritingAtPath: output)
    try process.run()
    process.waitUntilExit()
    let text = String(
      decoding: try #require(FileManager.default.contents(atPath: output)), as: UTF8.self)
    #expect(process.terminationStatus == 0, "\(text)")
    return text.split(separator: "\n").last.map(String.init) ?? ""
  }

  @Test func adaptersAndCheckpoints() throws {
    let folder = TemporaryFolder()
    let line = try shell(
      #"""
      N=$(printf 'a\377b'); mkdir "$N"; cp "$F/kohya.safetensors" "$N/$N.safetensors"
      "$B/lyco-inspect" "$N/$N.safetensors" --check
      "$B/lyco-convert" "$N/$N.safetensors" --to kohya --family sd1 -o "$N/out$N.safetensors"
      "$B/lyco-convert" "$N/$N.safetensors" --to peft --family sd1 -o "peft$N"
      "$B/lyco-merge" "$F/base.ldm.safetensors" "$N/out$N.safetensors" --family sd1 -o "m$N.safetensors"
      "$B/lyco-extract" "$F/base.ldm.safetensors" "m$N.safetensors" --family sd1 -o "e$N.safetensors" --report "r$N.json"
      "$B/lyco-convert" "$N/$N.safetensors" "$N/out$N.safetensors" --to comfy --family sd1 --output_dir "each$N"
      test -s "each$N/$N.safetensors" -a -s "each$N/out$N.safetensors"
      "$B/lyco-convert" "$N" --to diffusers --family sd1 --output_dir "all$N"
      printf 'unet_target_module = ["Transformer2DModel"]\n' >"$N.toml"
      "$B/lyco-extract" "$F/base.ldm.safetensors" "m$N.safetensors" --family sd1 --preset "$N.toml" -o "p$N.safetensors"
      "$B/lyco-convert" "$N/$N.safetensors" --dylora_unit 1 -o "cut$N.safetensors"
      "$B/lyco-convert" "$N/$N.safetensors" "$N/out$N.safetensors" --ema -o "ema$N.safetensors"
      "$B/lyco-convert" "$F/base.ldm.safetensors" --max_shard_size 100KB -o "s$N.safetensors"
      "$B/lyco-inspect" "s$N.safetensors.index.json" --check
      test -s "s$N-00001-of-00004.safetensors"
      "$B/lyco-convert" "$N/$N.safetensors" --set_meta "title=$N" -o t.safetensors >log2 2>&1 && exit 1
      grep -F "expected UTF-8, found 'title=a\xFFb'" log2
      test -s "p$N.safetensors" -a -s "cut$N-0001.safetensors" -a -s "ema$N.safetensors"
      rm "$N/out$N.safetensors"; cp "$N/$N.safetensors" "$N/out$N.safetensors"
      test -s "$N/out$N.safetensors" -a -s "peft$N/unet/adapter_config.json" -a -s "e$N.safetensors" -a -s "r$N.json"
      ls "all$N" | wc -l
      """#, in: folder)
    #expect(line.filter { $0 != " " } == "2")
  }

  /// What lies beside the weights of a folder goes along, whatever its name.
  @Test func companions() throws {
    let folder = TemporaryFolder()
    let line = try shell(
      #"""
      cp -r "$F/base" base; N=$(printf 'note\376'); echo text >"base/$N.txt"; mkdir "base/d$N"; echo x >"base/d$N/$N.json"
      "$B/lyco-merge" base "$F/kohya.safetensors" -o merged
      cmp "base/$N.txt" "merged/$N.txt"; cmp "base/d$N/$N.json" "merged/d$N/$N.json"; echo same
      """#, in: folder)
    #expect(line == "same")
  }

  /// Pictures and captions.
  @Test func pictures() throws {
    let folder = TemporaryFolder()
    let line = try shell(
      #"""
      N=$(printf 'p\374'); mkdir -p "$N/2_x$N"
      for i in 1 2 3; do p=$(ls "$T"/images/10_bag/*.png | sed -n ${i}p); cp "$p" "$N/2_x$N/$i$N.png"; echo "a bag" >"$N/2_x$N/$i$N.txt"; done
      "$B/lyco-train" --pretrained_model_name_or_path "$T" --train_data_dir "$N" --resolution 64 --max_train_steps 2 \
        --caption_extension .txt --network_module networks.lora --output_dir "o$N" --output_name "n$N" --seed 1 >log.txt 2>&1
      test -s "o$N/n$N.safetensors"
      "$B/lyco-train" --pretrained_model_name_or_path "$T" --train_data_dir "$N" --resolution 64 --max_train_steps 4 \
        --caption_extension .txt --network_module networks.lora --output_dir "o$N" --output_name "n$N" --seed 1 \
        --cache_latents_to_disk --save_state --log_csv "l$N.csv" >>log.txt 2>&1
      "$B/lyco-train" --pretrained_model_name_or_path "$T" --train_data_dir "$N" --resolution 64 --max_train_steps 5 \
        --caption_extension .txt --network_module networks.lora --output_dir "o$N" --output_name "n$N" --seed 1 \
        --cache_latents_to_disk --resume "o$N/n$N-state" --log_csv "l$N.csv" >>log.txt 2>&1
      test -s "l$N.csv" -a -d "o$N/n$N-state"
      if grep -q "no caption file" log.txt; then cat log.txt; exit 1; fi
      echo trained
      """#, in: folder)
    #expect(line == "trained")
  }
}
